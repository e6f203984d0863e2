"""The weights that ship with the package: whole, finite, small, and good for what their data card says."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from diffusion_refine.core.models import EMBEDDED_FOLDER, EMBEDDED_PAINTER, Model, load_model, load_painter
from diffusion_refine.editing.painting import PaintSettings, painted
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


def test_the_painter_is_small_finite_and_in_half_precision_too() -> None:
    path = EMBEDDED_PAINTER / "diffusion_pytorch_model.safetensors"
    assert path.stat().st_size < 10_000_000
    with safe_open(path, framework="pt") as weights:
        for name in weights.keys():  # noqa: SIM118 - no mapping
            value = weights.get_tensor(name)
            assert value.isfinite().all(), name
            assert value.dtype == torch.float16


def test_the_painter_puts_a_dark_or_rusty_defect_into_a_hole_and_goes_on_with_what_is_round_it() -> None:
    """On an even grey plate: with nothing asked for grey again, with pits darker, with rust orange."""
    painter = load_painter("embedded", "cpu")
    rng = np.random.default_rng(0)
    picture = np.clip(0.5 + rng.normal(0, 0.015, (128, 128, 1)), 0, 1).repeat(3, axis=2)
    rows, columns = np.indices((128, 128))
    hole = (rows - 64) ** 2 + (columns - 64) ** 2 <= 16**2
    plain, rust, pit = (caption(Subject("ground", "plate", words)) for words in ((), ("rust",), ("pit",)))
    made = {word: painted(painter, picture, hole, (told, plain), PaintSettings(), 0) for word, told in
            (("rust", rust), ("pit", pit))}  # fmt: skip
    for one in made.values():
        assert np.abs(one.nothing[hole].mean(axis=0)).max() < 0.06
    orange = made["rust"].defect - made["rust"].nothing
    assert np.quantile((orange[..., 0] - orange[..., 2])[hole], 0.9) > 0.1
    dark = (made["pit"].defect - made["pit"].nothing).mean(axis=2)
    assert np.quantile(dark[hole], 0.03) < -0.1


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
