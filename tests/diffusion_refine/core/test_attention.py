"""Residual interpolation, beside a processor that spells it out."""

from collections.abc import Callable

import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0, SlicedAttnProcessor
from torch import Tensor

from diffusion_refine.core.attention import attention_layers, residual_interpolation
from diffusion_refine.core.models import Model
from procgen.errors import BlemishError

Tiny = Callable[..., Model]


class SpeltOut:
    """One self-attention with residual interpolation, line by line."""

    def __init__(self, alpha: float, before_projection: bool) -> None:
        self.alpha, self.before_projection = alpha, before_projection

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None):
        r, heads = hidden_states, []
        for q, k, v in zip(*(f(r).chunk(attn.heads, -1) for f in (attn.to_q, attn.to_k, attn.to_v)), strict=True):
            heads.append(torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, -1) @ v)
        h = torch.cat(heads, -1)
        if self.before_projection:
            h = (1 - self.alpha) * h + self.alpha * r
        h = attn.to_out[0](h)
        return h if self.before_projection else (1 - self.alpha) * h + self.alpha * r


def inputs(model: Model, seed: int = 1, shape: tuple[int, int] = (8, 8)) -> tuple[Tensor, Tensor]:
    latents = torch.randn(2, 4, *shape, generator=torch.Generator().manual_seed(seed))
    return latents, torch.tensor(401)


@pytest.mark.parametrize(("family", "before"), [("sd15", True), ("sd21", False), ("sdxl", False)])
@pytest.mark.parametrize("blocks", [("up",), ("down", "mid")])
@torch.no_grad()
def test_equals_the_formula_in_the_named_self_attentions_and_nowhere_else(
    tiny_model: Tiny, family: str, before: bool, blocks: tuple[str, ...]
) -> None:
    model = tiny_model(family)
    (latents, timestep), prompt = inputs(model), model.encode_prompt(["photo of a crack defect"])
    plain = model.noise(latents, timestep, prompt)
    with residual_interpolation(model.unet, 0.3, blocks):
        found = model.noise(latents, timestep, prompt)
    prefixes = tuple({"up": "up_blocks", "mid": "mid_block", "down": "down_blocks"}[block] for block in blocks)
    layers = [
        module for name, module in model.unet.named_modules() if name.startswith(prefixes) and name.endswith("attn1")
    ]
    assert layers
    for layer in layers:
        layer.set_processor(SpeltOut(0.3, before))
    torch.testing.assert_close(found, model.noise(latents, timestep, prompt), rtol=1e-4, atol=1e-5)
    assert (found - plain).abs().max() > 1e-3


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_gradients_pass_through_and_equal_the_formulas(tiny_model: Tiny, family: str) -> None:
    model = tiny_model(family)
    (latents, timestep), prompt = inputs(model), model.encode_prompt(["photo of a crack defect"])

    def gradient() -> Tensor:
        embeddings = prompt.embeddings.clone().requires_grad_()
        model.noise(latents, timestep, prompt.replace(embeddings=embeddings)).square().sum().backward()
        assert embeddings.grad is not None
        return embeddings.grad

    with residual_interpolation(model.unet, 0.2):
        found = gradient()
    for name, module in model.unet.named_modules():
        if name.startswith("up_blocks") and name.endswith("attn1"):
            module.set_processor(SpeltOut(0.2, family == "sd15"))
    expected = gradient()
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
@pytest.mark.parametrize("processor", [AttnProcessor, AttnProcessor2_0, lambda: SlicedAttnProcessor(1)])
@torch.no_grad()
def test_works_around_any_processor(tiny_model: Tiny, family: str, processor: Callable[[], object]) -> None:
    model = tiny_model(family)
    (latents, timestep), prompt = inputs(model), model.encode_prompt(["photo of a crack defect"])
    with residual_interpolation(model.unet, 0.3):
        expected = model.noise(latents, timestep, prompt)
    model.unet.set_attn_processor(processor())
    with residual_interpolation(model.unet, 0.3):
        found = model.noise(latents, timestep, prompt)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
@torch.no_grad()
def test_works_in_half_precision_and_alpha_zero_changes_not_a_bit(tiny_model: Tiny, family: str) -> None:
    model = tiny_model(family)
    (latents, timestep), prompt = inputs(model), model.encode_prompt(["photo of a crack defect"])
    plain = model.noise(latents, timestep, prompt)
    with residual_interpolation(model.unet, 0):
        assert torch.equal(model.noise(latents, timestep, prompt), plain)
    with residual_interpolation(model.unet, 0.2):
        whole = model.noise(latents, timestep, prompt)
        model.unet.bfloat16()
        half = model.noise(latents, timestep, prompt)
    assert (half - whole).abs().mean() < 0.05 * whole.abs().mean()


def test_processors_are_restored_after_an_exception_too(tiny_model: Tiny) -> None:
    model = tiny_model("sd15")
    (latents, timestep), prompt = inputs(model), model.encode_prompt(["photo"])
    layers = attention_layers(model.unet)
    inside: set[str] = set()

    class Failing:
        def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None):
            inside.update(layer.name for layer in layers if layer.module.get_processor() is not before[layer.name])
            raise KeyError("of a processor")

    [last] = [layer for layer in layers if layer.block == "up" and not layer.cross][-1:]
    last.module.set_processor(Failing())
    before = {layer.name: layer.module.get_processor() for layer in layers}
    with pytest.raises(KeyError, match="of a processor"), residual_interpolation(model.unet, 0.1):
        model.noise(latents, timestep, prompt)
    assert inside == {name for name in before if name.startswith("up_blocks") and "attn1" in name}
    for layer in layers:
        assert layer.module.get_processor() is before[layer.name]
        assert not layer.module.to_out[0]._forward_pre_hooks


def test_what_cannot_be_is_refused(tiny_model: Tiny) -> None:
    unet = tiny_model("sd15").unet
    with pytest.raises(BlemishError, match=r"alpha 1\.5.*between 0 and 1"), residual_interpolation(unet, 1.5):
        pass
    with (
        pytest.raises(BlemishError, match="'middle'; expected some of down, mid, up"),
        residual_interpolation(unet, 0.1, ("middle",)),
    ):
        pass
