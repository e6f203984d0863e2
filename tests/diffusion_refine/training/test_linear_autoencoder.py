"""The linear start: components against a singular value decomposition, networks against the formulas that they hold."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from diffusion_refine.training.linear_autoencoder import (
    principal_components,
    set_decoder,
    set_encoder,
    windows_of,
)
from diffusion_refine.training.model_shapes import Shape, build_autoencoder

SHAPE = Shape(size=32, autoencoder=(16, 32, 48), latent_channels=6)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """Coloured noise without what is finer than two pixels, (40, 3, 32, 32) uint8."""
    rng = torch.Generator().manual_seed(3)
    coarse = torch.rand((40, 3, 10, 10), generator=rng)
    return (functional.interpolate(coarse, 32, mode="bicubic").clamp(0, 1) * 255).round().byte()


@pytest.fixture(scope="module")
def masks(images: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(images[:, 0])


def test_components_are_those_of_a_singular_value_decomposition(images: torch.Tensor, masks: torch.Tensor) -> None:
    found = principal_components(images, masks, 6, 4)
    pixels = images.numpy() / 127.5 - 1
    blocks = pixels.reshape(40, 3, 8, 4, 8, 4).transpose(0, 2, 4, 1, 3, 5).reshape(-1, 48)
    _, values, vectors = np.linalg.svd(blocks - blocks.mean(0), full_matrices=False)
    assert np.allclose(found.mean, blocks.mean(0))
    assert np.allclose(found.deviations, values[:6] / len(blocks) ** 0.5)
    assert np.allclose(np.abs(found.vectors.numpy() @ vectors[:6].T), np.eye(6), atol=1e-6)


def test_a_heavier_pixel_counts_as_often_as_it_weighs(images: torch.Tensor) -> None:
    marked = torch.zeros_like(images[:, 0])
    marked[:20] = 1
    weighted = principal_components(images, marked, 6, 4, defects=2)
    repeated = torch.cat([images, images[:20], images[:20]])
    expected = principal_components(repeated, torch.zeros_like(repeated[:, 0]), 6, 4)
    assert torch.allclose(weighted.deviations, expected.deviations)
    assert torch.allclose(weighted.vectors, expected.vectors)


def test_the_encoder_gives_the_components(images: torch.Tensor, masks: torch.Tensor) -> None:
    autoencoder = build_autoencoder(SHAPE).eval()
    components = principal_components(images, masks, 6, 4)
    set_encoder(autoencoder, components)
    values = images / 127.5 - 1
    with torch.no_grad():
        posterior = autoencoder.encode(values).latent_dist
    expected = components.encoded(values)
    assert expected.std(dim=(0, 2, 3)).sub(1).abs().max() < 1e-3
    assert torch.allclose(posterior.mode(), expected, atol=1e-3, rtol=3e-3)
    assert posterior.std.max() < 1e-4


def test_the_decoder_begins_linear_and_near_its_input(images: torch.Tensor, masks: torch.Tensor) -> None:
    autoencoder = build_autoencoder(SHAPE).eval()
    components = principal_components(images, masks, 6, 4)
    set_encoder(autoencoder, components)
    latents = components.encoded(images / 127.5 - 1)
    set_decoder(autoencoder, latents, images, 32, seed=0, steps=200)
    with torch.no_grad():
        made = autoencoder.decode(latents).sample
        nothing = autoencoder.decode(torch.zeros_like(latents)).sample
        half = autoencoder.decode(latents / 2).sample
    assert (half - (made + nothing) / 2).abs().max() < 0.02
    values = images / 127.5 - 1
    blocks = functional.pixel_unshuffle(values, 4)
    lost = blocks.movedim(1, -1).flatten(0, -2).var(dim=0).sum() - components.deviations.square().sum()
    error = functional.pixel_unshuffle(made - values, 4).square().sum(dim=1).mean()
    assert error < 1.5 * lost  # which is what six components cannot hold


def test_an_autoencoder_too_narrow_is_refused(images: torch.Tensor, masks: torch.Tensor) -> None:
    for widths in ((32, 32, 32), (16, 20, 40, 64)):
        with pytest.raises(ValueError, match="widen"):
            set_encoder(build_autoencoder(Shape(autoencoder=widths)), principal_components(images, masks, 8, 4))
    narrow = Shape(autoencoder=(16, 20), latent_channels=8)
    with pytest.raises(ValueError, match="20 channels hold 4 signed features"):
        set_encoder(build_autoencoder(narrow), principal_components(images, masks, 8, 2))


def test_windows_show_the_same_place_of_every_stack() -> None:
    rows, columns = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    codes = torch.stack([rows, columns])[None].float().repeat(5, 1, 1, 1)
    pixels = codes.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    rng = torch.Generator().manual_seed(0)
    seen = set()
    for _ in range(30):
        small, large = windows_of(torch.tensor([1, 4]), (codes, pixels), 16, rng)
        assert small.shape == (2, 2, 4, 4)
        assert torch.equal(large[:, :, ::4, ::4], small)
        seen |= {tuple(one[:, 0, 0].int().tolist()) for one in small}
    assert {row for row, _ in seen} == {column for _, column in seen} == set(range(5))
