"""Prompt-to-prompt controllers, beside processors that spell the method out with whole attention maps."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from diffusion_refine.core.attention import Interpolated, attention_layers, residual_interpolation
from diffusion_refine.core.models import Model
from diffusion_refine.inversion import methods, sampling
from diffusion_refine.prompt_to_prompt.alignment import Tokens, refinement, replacement, tokens_of
from diffusion_refine.prompt_to_prompt.controllers import (
    Controlled,
    Controller,
    controlled,
    map_shape,
    refine_words,
    replace_words,
    reweight_words,
)
from diffusion_refine.prompt_to_prompt.maps import Maps
from procgen.errors import BlemishError

Tiny = Callable[..., Model]
OLD, SWAPPED, LONGER = (
    "photo of a crack on a plate",
    "photo of a blowhole on a tile",
    "photo of a rust crack on a plate",
)


def tokens(model: Model, prompt: str) -> Tokens:
    return tokens_of(prompt, [model.pipeline.tokenizer])


def inputs(model: Model, shape: tuple[int, int] = (8, 8), branches: int = 3) -> tuple[Tensor, Tensor]:
    return torch.randn(branches, 4, *shape, generator=torch.Generator().manual_seed(2)), torch.tensor(301)


class SpeltOut:
    """Attention with whole maps, the targets' exchanged as Hertz et al. write it."""

    def __init__(self, change: Callable[[Tensor], Tensor], seen: list[Tensor] | None = None, alpha: float = 0) -> None:
        self.change, self.seen, self.alpha = change, seen, alpha

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None):
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        maps, values = [], []
        parts = (
            f(x).chunk(attn.heads, -1)
            for f, x in ((attn.to_q, hidden_states), (attn.to_k, context), (attn.to_v, context))
        )
        for q, k, v in zip(*parts, strict=True):
            maps.append(torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, -1))
            values.append(v)
        changed = self.change(torch.stack(maps, 1))  # (B, heads, tokens, length)
        if self.seen is not None:
            self.seen.append(changed.mean(1))
        h = torch.cat([changed[:, head] @ v for head, v in enumerate(values)], -1)
        if self.alpha:  # before the projection, as in SD 1.x
            h = (1 - self.alpha) * h + self.alpha * hidden_states
        return attn.to_out[0](h)


def cross_reference(old: Tokens, swapped: Tokens, longer: Tokens, factor: float) -> Callable[[Tensor], Tensor]:
    """Target 1 replaces, with "blowhole" amplified; target 2 refines."""
    words, kept = replacement(old, swapped).mapping, refinement(old, longer)

    def change(maps: Tensor) -> Tensor:
        found = maps.clone()
        for j in range(maps.shape[-1]):
            found[1, ..., j] = sum(float(words[i, j]) * maps[0, ..., i] for i in words[:, j].nonzero()[0])
            if j in swapped.of("blowhole"):
                found[1, ..., j] *= factor
            if kept.share[j]:
                found[2, ..., j] = sum(maps[0, ..., i] for i in kept.mapping[:, j].nonzero()[0])
        return found

    return change


def shared(maps: Tensor) -> Tensor:
    return maps[:1].expand_as(maps)


def prepared(model: Model, **options: float) -> tuple[Controller, Callable[[Tensor], Tensor]]:
    old, swapped, longer = (tokens(model, prompt) for prompt in (OLD, SWAPPED, LONGER))
    edits = (replace_words(old, swapped).reweighted(swapped, {"blowhole": 2.0}), refine_words(old, longer))
    return Controller(edits, **options), cross_reference(old, swapped, longer, 2.0)


@pytest.mark.parametrize(
    ("family", "shape", "index", "alpha"),
    [
        ("sd15", (8, 8), 0, 0),
        ("sdxl", (8, 16), 0, 0),
        ("sd21", (24, 8), 6, 0),  # the self-attention is the targets' own by then
        ("sd15", (8, 8), 8, 0),  # all is
        ("sd15", (8, 8), 0, 0.3),
    ],
)
@torch.no_grad()
def test_targets_attend_as_the_method_says(
    tiny_model: Tiny, family: str, shape: tuple[int, int], index: int, alpha: float
) -> None:
    model = tiny_model(family)
    (latents, timestep), prompt = inputs(model, shape), model.encode_prompt([OLD, SWAPPED, LONGER])
    controller, cross = prepared(model)
    plain = model.noise(latents, timestep, prompt)
    with residual_interpolation(model.unet, alpha), controlled(model.unet, controller, index, 10):
        found = model.noise(latents, timestep, prompt)
    with controlled(model.unet, controller, index, 10), residual_interpolation(model.unet, alpha):
        assert torch.equal(model.noise(latents, timestep, prompt), found)

    same: Callable[[Tensor], Tensor] = lambda maps: maps  # noqa: E731
    for layer in attention_layers(model.unet):
        if layer.cross:
            layer.module.set_processor(SpeltOut(cross if index < 8 else same))
        else:
            blend = alpha if layer.block == "up" else 0
            layer.module.set_processor(SpeltOut(shared if index < 6 else same, alpha=blend))
    torch.testing.assert_close(found, model.noise(latents, timestep, prompt), rtol=1e-4, atol=1e-4)
    assert index == 8 or (found - plain)[1:].abs().max() > 1e-3
    assert alpha or torch.allclose(found[0], plain[0], rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_one_prompt_replaced_by_itself_brings_the_targets_to_the_source(tiny_model: Tiny) -> None:
    model = tiny_model("sdxl")
    latents, timestep = inputs(model, branches=1)
    old = tokens(model, OLD)
    edits = (replace_words(old, old), reweight_words(old, {"crack": 1.0}))
    with controlled(model.unet, Controller(edits)):
        found = model.noise(latents.expand(3, -1, -1, -1), timestep, model.encode_prompt([OLD]))
    torch.testing.assert_close(found[1:], found[:1].expand(2, -1, -1, -1), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_large_self_maps_are_left_alone(tiny_model: Tiny) -> None:
    model = tiny_model("sd15")
    (latents, timestep), prompt = inputs(model, (8, 16)), model.encode_prompt([OLD, SWAPPED, LONGER])
    controller, _ = prepared(model, cross=0.0, largest=8)
    with controlled(model.unet, controller):
        found = model.noise(latents, timestep, prompt)
    for layer in attention_layers(model.unet):
        if not layer.cross:
            layer.module.set_processor(SpeltOut(lambda maps: shared(maps) if maps.shape[-1] <= 64 else maps))
    torch.testing.assert_close(found, model.noise(latents, timestep, prompt), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
@torch.no_grad()
def test_without_edits_not_a_bit_changes(tiny_model: Tiny, family: str) -> None:
    model = tiny_model(family)
    (latents, timestep), prompt = inputs(model), model.encode_prompt([OLD, SWAPPED, LONGER])
    plain = model.noise(latents, timestep, prompt)
    for controller in (Controller(), prepared(model, cross=0.0, self_share=0.0)[0]):
        with controlled(model.unet, controller):
            assert torch.equal(model.noise(latents, timestep, prompt), plain)


@torch.no_grad()
def test_maps_are_means_over_heads_layers_and_steps(tiny_model: Tiny) -> None:
    model = tiny_model("sd15")
    (latents, _), prompt = inputs(model, (8, 16)), model.encode_prompt([OLD, SWAPPED, LONGER])
    maps, (controller, cross) = Maps(largest=8), prepared(model)
    controller.maps = maps
    seen: list[Tensor] = []
    for timestep in (torch.tensor(301), torch.tensor(201)):
        with controlled(model.unet, controller):
            model.noise(latents, timestep, prompt)
    for layer in attention_layers(model.unet):
        layer.module.set_processor(SpeltOut(cross, seen) if layer.cross else SpeltOut(shared))
    for timestep in (torch.tensor(301), torch.tensor(201)):
        model.noise(latents, timestep, prompt)
    assert maps.shapes() == [(4, 8), (2, 4), (1, 2)]  # 8 × 16 is larger than 8 × 8
    for shape in maps.shapes():
        expected = torch.stack([found for found in seen if found.shape[1] == shape[0] * shape[1]]).mean(0)
        torch.testing.assert_close(maps.mean(shape).flatten(1, 2), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", ["null", "negative-prompt"])
def test_the_loop_controls_conditional_passes_only(tiny_model: Tiny, method: str, monkeypatch) -> None:
    model = tiny_model("sd15")
    settings = methods.InversionSettings(steps=2, null=methods.NullSettings(updates=1))
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    source = methods.prepare(method, model, latents, model.encode_prompt([OLD]), settings)
    old, swapped = tokens(model, OLD), tokens(model, SWAPPED)
    seen: list[tuple[int, bool]] = []
    plain = model.noise

    def watched(latents: Tensor, timestep: Tensor, prompt) -> Tensor:
        processors = model.unet.attn_processors.values()
        seen.append((len(prompt), any(isinstance(processor, Controlled) for processor in processors)))
        return plain(latents, timestep, prompt)

    monkeypatch.setattr(model, "noise", watched)
    controller = Controller([replace_words(old, swapped)])
    sampling.edit(model, source, model.encode_prompt([SWAPPED]), controller=controller)
    assert seen == [(1, False), (2, True)] * 2


def test_recorded_edits_have_the_bits_and_maps_of_plain_ones(tiny_model: Tiny) -> None:
    """Over all branches of the steps: both kinds of maps exchanged, those of the prompt alone, and none."""
    model, settings = tiny_model("sdxl"), methods.InversionSettings(steps=5)
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    old = tokens(model, OLD)

    def edited(target: str) -> tuple[Tensor, Maps]:
        maps, new = Maps(), tokens(model, target)
        controller = Controller([(refine_words if target == LONGER else replace_words)(old, new)], maps=maps)
        with residual_interpolation(model.unet):
            source = methods.prepare("direct", model, latents, model.encode_prompt([OLD]), settings)
            return sampling.edit(model, source, model.encode_prompt([target]), controller=controller), maps

    with model.plainly():
        expected = {target: edited(target) for target in (SWAPPED, LONGER)}
    recorded = [model.recorded]
    for target in (SWAPPED, LONGER, SWAPPED):
        (found, maps), (wanted, wanted_maps) = edited(target), expected[target]
        assert torch.equal(found, wanted)
        assert maps.shapes() == wanted_maps.shapes()
        assert all(torch.equal(maps.mean(shape), wanted_maps.mean(shape)) for shape in maps.shapes())
        recorded.append(model.recorded)
    assert recorded[0] == 0 < recorded[1] < recorded[2]  # branches of one step come again in another edit
    assert recorded[3] == recorded[2]  # which shares them, whatever its words


def test_attention_under_control_is_computed_in_predictions_alone(tiny_model: Tiny) -> None:
    model = tiny_model("sd15")
    (latents, timestep), prompt = inputs(model, branches=1), model.encode_prompt([OLD])
    with controlled(model.unet, Controller()), pytest.raises(ValueError, match="call its noise"):
        model.unet(latents, timestep, encoder_hidden_states=prompt.embeddings)


def test_processors_and_hooks_are_restored_after_an_exception(tiny_model: Tiny) -> None:
    model = tiny_model("sd15")
    (latents, timestep), prompt = inputs(model), model.encode_prompt([OLD])
    before = dict(model.unet.attn_processors)
    controller, _ = prepared(model)

    def run() -> None:
        with residual_interpolation(model.unet), controlled(model.unet, controller):
            kinds = {type(processor) for processor in model.unet.attn_processors.values()}
            assert kinds == {Controlled, Interpolated}
            model.noise(latents[:2], timestep, prompt)

    with pytest.raises(ValueError, match="batch of 2 under 2 edits"):
        run()
    assert all(processor is before[name] for name, processor in model.unet.attn_processors.items())
    assert not model.unet._forward_pre_hooks


def test_shapes_of_maps_are_those_of_the_levels() -> None:
    for latent in [(64, 64), (128, 96), (13, 30), (9, 8)]:
        rows, columns = latent
        for _ in range(3):
            assert map_shape(rows * columns, latent) == (rows, columns)
            pooled = torch.nn.functional.conv2d(
                torch.zeros(1, 1, rows, columns), torch.zeros(1, 1, 3, 3), stride=2, padding=1
            )
            rows, columns = pooled.shape[-2:]
    with pytest.raises(ValueError, match="no level"):
        map_shape(100, (64, 64))


def test_shares_of_steps_are_checked() -> None:
    with pytest.raises(BlemishError, match=r"found 1\.2 for the share of steps with cross-attention"):
        Controller(cross=1.2)
