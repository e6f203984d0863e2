"""The autoencoder's loss, its normalised latents, and its figures, each against a second reckoning."""

import copy
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from diffusion_refine.embedded.autoencoder import AutoencoderPlan, encoded, fidelity, normalise, train_autoencoder
from diffusion_refine.embedded.configs import build_pipeline
from diffusion_refine.embedded.pictures import Crops, draw_crops, read_pictures
from scenes import Dataset
from tests.diffusion_refine.embedded.conftest import TINY


@pytest.fixture(scope="module")
def crops(renders: Dataset) -> Crops:
    return draw_crops(read_pictures(renders.path), 24, TINY.size, 0)


def test_normalised_latents_have_unit_variance_and_the_pictures_stay(crops: Crops) -> None:
    plain = build_pipeline(TINY).vae.eval()
    made = copy.deepcopy(plain)
    normalise(made, crops.images)
    latents = encoded(made, crops.images)
    assert latents.mean(dim=(0, 2, 3)).abs().max() < 1e-4
    assert (latents.std(dim=(0, 2, 3)) - 1).abs().max() < 1e-4
    images = crops.images[:4] / 127.5 - 1
    with torch.no_grad():
        before, after = (vae.decode(vae.encode(images).latent_dist.mode()).sample for vae in (plain, made))
        logvars = [vae.encode(images).latent_dist.logvar for vae in (plain, made)]
    assert torch.allclose(before, after, atol=1e-4)
    deviation = encoded(plain, crops.images).std(dim=(0, 2, 3))
    assert torch.allclose(logvars[0] - 2 * deviation.log()[:, None, None], logvars[1], atol=1e-3)


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


def test_weighted_pixels_of_defects_are_learnt_sooner(crops: Crops, tmp_path: Path) -> None:
    figures = {}
    for defects in (0.0, 30.0):
        vae = build_pipeline(TINY).vae
        folder = tmp_path / str(defects)
        folder.mkdir()
        train_autoencoder(vae, crops, AutoencoderPlan(steps=40, crop=32, defects=defects, half=False), folder)
        figures[defects] = fidelity(vae, crops)
    assert figures[30.0]["defects"] > figures[0.0]["defects"] + 0.5


def test_a_decoder_alone_learns_without_moving_the_latents(crops: Crops, tmp_path: Path) -> None:
    vae = build_pipeline(TINY).vae.eval()
    normalise(vae, crops.images)
    before, worse = encoded(vae, crops.images), fidelity(vae, crops)
    train_autoencoder(vae, crops, AutoencoderPlan(steps=60, crop=32, decoder=0.05, half=False), tmp_path)
    assert torch.equal(encoded(vae, crops.images), before)
    assert fidelity(vae, crops)["defects"] > worse["defects"] + 1
