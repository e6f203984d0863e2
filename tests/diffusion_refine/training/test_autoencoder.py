"""The autoencoder's training and its figures, each against a second reckoning."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from diffusion_refine.training.autoencoder import AutoencoderSettings, encoded, fidelity, set_latents, train_autoencoder
from diffusion_refine.training.crops import Crops, draw_crops, read_pictures
from diffusion_refine.training.linear_autoencoder import set_decoder
from diffusion_refine.training.model_shapes import build_pipeline
from scenes import Dataset
from tests.diffusion_refine.training.conftest import TINY


@pytest.fixture(scope="module")
def crops(renders: Dataset) -> Crops:
    return draw_crops(read_pictures(renders.path), 24, TINY.size, 0)


def test_latents_have_unit_variance_whatever_is_trained(crops: Crops, tmp_path: Path) -> None:
    vae, settings = build_pipeline(TINY).vae, AutoencoderSettings(steps=6, crop=16, defects=0.0, half=False)
    set_latents(vae, crops, settings)
    before = encoded(vae, crops.images)
    assert before.mean(dim=(0, 2, 3)).abs().max() < 0.02
    assert (before.std(dim=(0, 2, 3)) - 1).abs().max() < 0.02
    train_autoencoder(vae, crops, before, settings, tmp_path)
    assert torch.allclose(encoded(vae, crops.images), before, atol=1e-5)


def test_fidelity_is_the_psnr_of_either_kind_of_pixel(crops: Crops) -> None:
    vae = build_pipeline(TINY).vae.eval()
    figures = fidelity(vae, crops)
    images = crops.images / 127.5 - 1
    with torch.no_grad():
        made = vae.decode(vae.encode(images).latent_dist.mode()).sample.clamp(-1, 1)
    true, found = (((values + 1) / 2).permute(0, 2, 3, 1).numpy().astype(np.float64) for values in (images, made))
    for name, where in (("defects", crops.masks.numpy() > 0), ("others", crops.masks.numpy() == 0)):
        expected = peak_signal_noise_ratio(true[where], found[where], data_range=1)
        assert math.isclose(figures[name], expected, abs_tol=1e-3)


def scratched() -> Crops:
    """Grey noise with a bright line of one pixel here and there."""
    rng = torch.Generator().manual_seed(0)
    images = torch.randint(60, 200, (24, 1, TINY.size, TINY.size), generator=rng).repeat(1, 3, 1, 1)
    masks = torch.zeros((24, TINY.size, TINY.size), dtype=torch.uint8)
    for picture in range(24):
        masks[picture].diagonal(picture - 12)[:] = 1
    images[masks[:, None].expand_as(images) > 0] = 255
    return Crops(images.byte(), masks, ("",) * 24)


def test_weighted_pixels_of_defects_are_kept_better(tmp_path: Path) -> None:
    figures, crops = {}, scratched()
    for defects in (0.0, 30.0):
        vae = build_pipeline(TINY).vae
        folder = tmp_path / str(defects)
        folder.mkdir()
        settings = AutoencoderSettings(steps=60, crop=32, defects=defects, half=False)
        set_latents(vae, crops, settings)
        train_autoencoder(vae, crops, encoded(vae, crops.images), settings, folder)
        figures[defects] = fidelity(vae, crops)
    assert figures[30.0]["defects"] > figures[0.0]["defects"] + 0.5


def test_training_betters_the_linear_start(crops: Crops, tmp_path: Path) -> None:
    settings = AutoencoderSettings(steps=90, crop=32, half=False)
    linear, trained = build_pipeline(TINY).vae, build_pipeline(TINY).vae
    for vae in (linear, trained):
        set_latents(vae, crops, settings)
    latents = encoded(linear, crops.images)
    set_decoder(linear, latents, crops.images, settings.crop, settings.seed, settings.linear)
    train_autoencoder(trained, crops, latents, settings, tmp_path)
    assert fidelity(trained, crops)["defects"] > fidelity(linear, crops)["defects"] + 1
