"""The weights that ship with the package: whole, finite, small, and good for what their data card says."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from diffusion_refine.core.models import EMBEDDED_FOLDER, Model, load_model
from diffusion_refine.prompts.captions import Subject, caption

MOST_BYTES = 25_000_000


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("embedded", "cpu")


def files() -> list[Path]:
    return [path for path in EMBEDDED_FOLDER.rglob("*") if path.is_file()]


def test_they_are_small_finite_and_in_half_precision() -> None:
    assert sum(path.stat().st_size for path in files()) < MOST_BYTES
    tensors = [path for path in files() if path.suffix == ".safetensors"]
    assert len(tensors) == 4
    for path in tensors:
        with safe_open(path, framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118 - no mapping
                value = weights.get_tensor(name)
                assert value.isfinite().all(), f"{path.name}: {name}"
                assert value.dtype == torch.float16 or not value.is_floating_point()


def test_they_make_a_pipeline_of_sdxls_shape(model: Model) -> None:
    assert (model.family, model.size, model.factor, model.latent_channels) == ("sdxl", 128, 4, 8)
    assert model.pipeline.tokenizer.tokenize("mousebite") == ["mouse", "bite</w>"]
    prompt = model.encode_prompt([caption(Subject("ground", "plate", ("scratch",))), ""])
    assert prompt.pooled is not None
    assert not torch.equal(prompt.embeddings[0], prompt.embeddings[1])


def test_noise_is_told_from_a_picture(model: Model) -> None:
    """Better than silence, whose mean squared error against unit noise is one, at every noise level that shows any."""
    rng = torch.Generator().manual_seed(1)
    lines = torch.linspace(0.3, 0.7, 128).sin().expand(2, 3, 128, 128)
    clean = model.encode(lines)
    prompt = model.encode_prompt(["photo of a good ground plate"])
    for timestep, most in ((900, 0.2), (500, 0.4), (200, 0.8)):
        alpha = float(model.pipeline.scheduler.alphas_cumprod[timestep])
        noise = torch.randn(clean.shape, generator=rng)
        with torch.no_grad():
            found = model.noise(alpha**0.5 * clean + (1 - alpha) ** 0.5 * noise, timestep, prompt)
        assert (found - noise).square().mean() < most


def test_latents_have_about_unit_variance_and_pictures_come_back(model: Model) -> None:
    rows = torch.linspace(0, 12.56, 128).sin() * 0.2 + 0.5
    images = torch.stack([rows.expand(3, 128, 128), rows[:, None].expand(3, 128, 128)])
    images[:, :, 60:68, 20:100] = 0.1  # a dark scratch
    again = model.decode(model.encode(images))
    error = (again - images).square()
    assert -10 * error.mean().log10() > 22
    scratch, beside = again[:, :, 62:66, 30:90], again[:, :, 80:120, 30:90]
    assert beside.mean() - scratch.mean() > 0.15  # of the 0.4 that it was darker; the deepest black comes back grey
