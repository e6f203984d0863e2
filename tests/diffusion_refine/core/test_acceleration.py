"""Recorded calls beside plain ones: nothing stale, nothing overwritten, and the same bits on a processor."""

import warnings

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from diffusion_refine.core import acceleration
from diffusion_refine.core.acceleration import Runner
from diffusion_refine.core.attention import residual_interpolation
from diffusion_refine.core.models import Model
from diffusion_refine.core.recording import Repeated, Repeating
from diffusion_refine.core.schedule import Schedule
from diffusion_refine.inversion.ddim import invert
from diffusion_refine.inversion.null_embedding import NullSettings, optimise
from diffusion_refine.prompt_to_prompt.alignment import tokens_of
from diffusion_refine.prompt_to_prompt.controllers import Controller, controlled, replace_words
from diffusion_refine.prompt_to_prompt.maps import Maps
from procgen.errors import BlemishNote

TEXT = "photo of a crack defect"


def wave(x: Tensor, scale: Tensor) -> tuple[Tensor, ...]:
    return (x * scale).sin() + x.sum(), x + 1


def points(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_calls_equal_the_function_and_results_outlive_later_calls() -> None:
    runner = Runner(wave)
    inputs = [(points(seed, 2, 3), torch.tensor(float(seed))) for seed in range(5)]
    results = [runner("a kind", *one) for one in inputs]
    assert runner.recorded == 1
    for one, found in zip(inputs, results, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(found, wave(*one), strict=True))


def test_gradients_flow_to_what_wants_them_and_are_those_of_their_own_inputs() -> None:
    runner = Runner(wave)
    for seed in range(4):
        x, scale = points(seed, 2, 3).requires_grad_(), torch.tensor(seed + 0.5)
        expected = torch.autograd.grad(wave(x, scale)[0].square().sum(), x)[0]
        runner("a kind", x, scale)[0].square().sum().backward()
        assert torch.equal(x.grad, expected)
    assert runner.recorded == 1
    x, scale = points(9, 2, 3), torch.tensor(2.0, requires_grad=True)
    for _ in range(2):
        scale.grad = None
        runner("a kind", x, scale)[0].sum().backward()
    assert torch.allclose(scale.grad, ((x * scale).cos() * x).sum())
    assert runner.recorded == 2  # another input wants gradients: another kind


def test_a_way_back_after_other_calls_is_still_its_own() -> None:
    runner = Runner(wave)
    scale = torch.tensor(1.5)
    pair = [points(seed, 2, 3).requires_grad_() for seed in (1, 2)]
    other = points(3, 4).requires_grad_()
    for one in (*pair, other, other):  # both kinds are recorded
        runner("a kind", one, scale)
    made = [runner("a kind", one, scale)[0] for one in (*pair, other)]
    for one, found in zip((*pair, other), made, strict=True):
        (gradient,) = torch.autograd.grad(found.sum(), one, retain_graph=True)
        assert torch.equal(gradient, torch.autograd.grad(wave(one, scale)[0].sum(), one)[0])
        assert torch.equal(torch.autograd.grad(found.sum(), one)[0], gradient)  # and a second time


def test_a_kind_is_recorded_when_it_comes_again_and_the_oldest_goes(monkeypatch) -> None:
    monkeypatch.setattr(acceleration, "KINDS", 2)
    runner, scale = Runner(wave), torch.tensor(1.0)
    with torch.no_grad():
        for size in (1, 2, 3):
            runner("a kind", points(0, size), scale)
        assert runner.recorded == 0
        for size in (1, 2, 3):
            runner("a kind", points(0, size), scale)
        assert runner.recorded == 2
        runner(None, points(0, 9), scale)
        runner(None, points(0, 9), scale)
        with runner.plainly():
            runner("another", points(0, 1), scale)
            runner("another", points(0, 1), scale)
        assert runner.recorded == 2
    runner.forget()
    assert runner.recorded == 0


def test_what_cannot_be_recorded_is_called_plainly_and_said_once() -> None:
    class Failing:
        def record(self, function, inputs):
            raise RuntimeError("operation not permitted\nwhen stream is capturing")

    runner, scale = Runner(wave, Failing()), torch.tensor(1.0)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(3):
            for size in (2, 3):
                x = points(size, size)
                assert torch.equal(runner("a kind", x, scale)[0], wave(x, scale)[0])
    assert [str(one.message) for one in said if one.category is BlemishNote] == [
        "the network's calls cannot be recorded and are made one by one, which is slower (operation not permitted)"
    ]
    assert runner.recorded == 0


class Counting(Repeating):
    """Makes recordings that count how often they are repeated."""

    def __init__(self) -> None:
        self.forwards = self.backwards = 0

    def record(self, function, inputs):
        outer = self

        class Counted(Repeated):
            def forward(self) -> None:
                outer.forwards += 1
                super().forward()

            def backward(self) -> None:
                outer.backwards += 1
                super().backward()

        return Counted(function, inputs)


def latents_of(model: Model, count: int, seed: int = 3) -> Tensor:
    side = model.size // model.factor
    return points(seed, count, 4, side, side).to(model.device)


def optimised(model: Model, count: int, alpha: float = 0.1):
    schedule, prompt = Schedule(model, 2), model.encode_prompt([TEXT])
    with residual_interpolation(model.unet, alpha):
        trajectory = invert(model, latents_of(model, count), prompt, schedule)
        return trajectory, optimise(
            model, trajectory, prompt, schedule, 5.0, NullSettings(updates=3, threshold=LIMITS[model.family])
        )


LIMITS = {"sd": 2.0, "sdxl": 1.2}  # between the distances of two pictures, so that one stops before the other


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_inversion_and_null_embeddings_have_the_bits_of_plain_calls(tiny_model, family: str) -> None:
    plain = tiny_model(family)
    with plain.predictions.plainly():
        expected_trajectory, expected = optimised(plain, 2)
    recorder = Counting()
    model = tiny_model(family)
    model.predictions = Runner(model._predicted, recorder)
    trajectory, found = optimised(model, 2)
    assert torch.equal(trajectory.latents, expected_trajectory.latents)
    assert torch.equal(found.latents, expected.latents)
    assert torch.equal(found.distances, expected.distances)
    assert torch.equal(found.updates, expected.updates)
    for one, other in zip(found.prompts, expected.prompts, strict=True):
        assert torch.equal(one.embeddings, other.embeddings)
        assert one.pooled is None or torch.equal(one.pooled, other.pooled)
    assert recorder.forwards > 3
    assert recorder.backwards > 1
    assert model.calls == plain.calls


def test_another_alpha_or_another_network_is_another_kind(tiny_model) -> None:
    model = tiny_model("sd15")
    prompt, latents = model.encode_prompt([TEXT]), latents_of(model, 1)
    with torch.no_grad():
        for alpha in (0.0, 0.1, 0.3):
            with residual_interpolation(model.unet, alpha):
                found = [model.noise(latents, 401, prompt) for _ in range(2)]
                with model.predictions.plainly():
                    expected = model.noise(latents, 401, prompt)
            assert all(torch.equal(one, expected) for one in found)
        assert model.predictions.recorded == 3
        for _ in range(2):
            with residual_interpolation(model.unet, 0.3):
                model.noise(latents, 401, prompt)
        assert model.predictions.recorded == 3
        heard: list[object] = []
        hook = model.unet.mid_block.register_forward_hook(lambda *_: heard.append(1))
        for _ in range(3):
            model.noise(latents, 401, prompt)
        hook.remove()
        assert len(heard) == 3  # one that listens is told of every call


def test_gradients_of_weights_are_never_recorded_away(tiny_model) -> None:
    model = tiny_model("sd15")
    prompt, latents = model.encode_prompt([TEXT]), latents_of(model, 1)
    for _ in range(3):
        model.unet.zero_grad()
        model.noise(latents, 401, prompt).sum().backward()
        assert model.unet.conv_in.weight.grad is not None
    assert model.predictions.recorded == 0


def test_the_autoencoder_is_recorded_for_small_pictures(tiny_model) -> None:
    model = tiny_model("sd15")
    for seed in range(3):
        images = points(seed, 2, 3, 64, 64).sigmoid()
        latents = model.encode(images)
        pictures = model.decode(latents)
        with model.encodings.plainly(), model.decodings.plainly():
            assert torch.equal(model.encode(images), latents)
            assert torch.equal(model.decode(latents), pictures)
    assert (model.encodings.recorded, model.decodings.recorded) == (1, 1)


class Strangers(TorchDispatchMode):
    """Notes what no CUDA graph can hold: tensors of the processor, and values that Python asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        seen = [one for one in tree_leaves((args, kwargs, made)) if isinstance(one, Tensor)]
        asks = any(word in str(function) for word in ("_local_scalar_dense", "item", "nonzero", "equal.default"))
        if asks or any(one.device.type != "cuda" for one in seen):
            self.found.append(str(function))
        return made


def on_an_imagined_card(module: torch.nn.Module) -> None:
    for part in module.modules():
        for name, weight in part._parameters.items():
            if weight is not None:
                part._parameters[name] = torch.nn.Parameter(torch.empty_like(weight, device="cuda"), False)
        for name, buffer in part._buffers.items():
            if buffer is not None:
                part._buffers[name] = torch.empty_like(buffer, device="cuda")


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
@torch.no_grad()
def test_what_is_recorded_waits_for_nothing_and_brings_nothing_to_the_card(tiny_model, family: str) -> None:
    """On tensors without values, which need no card."""
    model = tiny_model(family)
    pair = [tokens_of(text, [model.pipeline.tokenizer]) for text in (TEXT, "photo of a rust defect")]
    controllers = [Controller([replace_words(*pair)], maps=Maps()) for _ in range(3)]
    conditions = model.encode_prompt([TEXT] * 2)
    side = model.size // model.factor
    with FakeTensorMode(allow_non_fake_inputs=True):
        for module in (model.unet, model.vae):
            on_an_imagined_card(module)
        more = [conditions.pooled, conditions.time_ids] if family == "sdxl" else []
        given = [torch.empty_like(one, device="cuda") for one in (conditions.embeddings, *more)]
        inputs = [
            torch.empty(2, 4, side, side, device="cuda"),
            torch.empty((), dtype=torch.int64, device="cuda"),
            *given,
        ]
        edits = [torch.empty(1, *rest, device="cuda") for rest in ((77, 77), (77,), (77,))]
        with residual_interpolation(model.unet, 0.1):
            with Strangers() as strangers:
                assert model._predicted(*inputs)[0].device.type == "cuda"
                latents = model._encoded(torch.empty(1, 3, 64, 64, device="cuda"))[0]
                assert model._decoded(latents)[0].shape == (1, 3, 64, 64)
            assert strangers.found == []
            for index, controller in zip((0, 7, 9), controllers, strict=True):  # all its branches
                with controlled(model.unet, controller, index, 10), Strangers() as strangers:
                    made = model._predicted(*inputs, *edits)
                assert strangers.found == []
                assert len(made) > 1  # the maps that are kept


@pytest.mark.gpu
@pytest.mark.parametrize("family", ["sd15", "sd21", "sdxl"])
def test_a_card_repeats_what_plain_calls_make(card, tiny_model, family: str) -> None:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        model = Model(tiny_model(family).pipeline.to(card), family)
        with model.predictions.plainly():
            expected_trajectory, expected = optimised(model, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("error", BlemishNote)  # falling back would pass
            trajectory, found = optimised(model, 2)
        assert model.predictions.recorded >= 2  # the forward, and the way back
        torch.testing.assert_close(trajectory.latents, expected_trajectory.latents, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(found.latents, expected.latents, rtol=1e-3, atol=1e-3)
        assert torch.equal(found.updates, expected.updates)
        images = points(1, 2, 3, 64, 64).sigmoid()
        with model.encodings.plainly(), model.decodings.plainly():
            expected_latents = model.encode(images)
            pictures = model.decode(expected_latents)
        for _ in range(3):
            torch.testing.assert_close(model.encode(images), expected_latents, rtol=1e-3, atol=1e-3)
            torch.testing.assert_close(model.decode(expected_latents), pictures, rtol=1e-3, atol=1e-3)
    finally:
        torch.backends.cudnn.allow_tf32 = True
