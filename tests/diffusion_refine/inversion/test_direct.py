"""Direct inversion: exact on every family, for the price of the inversion alone."""

import pytest
import torch

from diffusion_refine.core.models import CallCounter
from diffusion_refine.inversion.methods import InversionSettings, prepare
from diffusion_refine.inversion.null_embedding import guided
from diffusion_refine.inversion.sampling import edit

TEXT = "photo of a crack defect"


def clean_latents(model, count=1):
    images = torch.rand(count, 3, model.size, model.size, generator=torch.Generator().manual_seed(3))
    return model.encode(images)


@pytest.mark.parametrize("family", ["sd15", "sd21", "sdxl"])
def test_latents_come_back_to_the_ten_thousandth_at_fifty_forwards(tiny_model, family):
    model = tiny_model(family)
    latents = clean_latents(model)
    model.calls = CallCounter()
    source = prepare("direct", model, latents, model.encode_prompt([TEXT]), InversionSettings(guidance_scale=5.0))
    found = edit(model, source)
    assert (found - latents).abs().max() < 1e-4
    assert model.calls == CallCounter(forwards=50, samples=50, backwards=0)


def test_the_source_stays_exact_beside_targets_at_one_forward_a_step(tiny_model):
    model = tiny_model("sdxl", latent_channels=8)
    latents = clean_latents(model)
    source = prepare("direct", model, latents, model.encode_prompt([TEXT]), InversionSettings(steps=4))
    model.calls = CallCounter()
    found = edit(model, source, model.encode_prompt(["photo of a rust defect", "photo of a good plate"]))
    assert found.shape == (3, 8, 8, 8)
    assert (found[:1] - latents).abs().max() < 1e-4
    assert model.calls == CallCounter(forwards=4, samples=12, backwards=0)


def test_targets_are_guided_with_the_closed_form_of_the_unconditional_prediction(tiny_model):
    model = tiny_model("sd15")
    rng = torch.Generator().manual_seed(5)
    source = prepare("direct", model, clean_latents(model), model.encode_prompt([TEXT]), InversionSettings(steps=3))
    latents, predictions = (torch.randn(2, 4, 8, 8, generator=rng) for _ in range(2))
    found = source.guided(1, latents, predictions)
    # The ε_∅ for which ε_∅ + w·(ε_c − ε_∅) is the required noise.
    null = (found[:1] - source.scale * predictions[:1]) / (1 - source.scale)
    assert torch.allclose(guided(null, predictions, source.scale), found, atol=1e-4)
    assert torch.allclose(source.schedule.step(latents, found, 1)[:1], source.trajectory.after(1), atol=1e-5)
