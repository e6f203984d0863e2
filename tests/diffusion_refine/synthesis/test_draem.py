"""The method `draem`."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.stats import pearsonr

from diffusion_refine.synthesis.draem.perlin import faded, gradient_noise, perlin_mask
from diffusion_refine.synthesis.draem.textures import kinds, lit, texture
from diffusion_refine.synthesis.loop import carry_out
from diffusion_refine.synthesis.registry import factory_of
from diffusion_refine.synthesis.request import Request
from scenes.pictures.reading import read_photograph
from tests.diffusion_refine.synthesis.labelled_sets import saved, surface


def test_noise_equals_perlins_formula_point_by_point() -> None:
    rows, columns = np.meshgrid(np.linspace(-1.3, 2.1, 9), np.linspace(0.2, 3.7, 7), indexing="ij")
    found = gradient_noise(rows, columns, np.random.default_rng(4))
    angles = np.random.default_rng(4).uniform(0, 2 * np.pi, (2 + 2 + 2, 3 - 0 + 2))
    for row, column, value in zip(rows.ravel(), columns.ravel(), found.ravel(), strict=True):
        total = 0.0
        for r in (int(np.floor(row)), int(np.floor(row)) + 1):
            for c in (int(np.floor(column)), int(np.floor(column)) + 1):
                angle = angles[r + 2, c]
                weight = faded(np.array(1 - abs(row - r))) * faded(np.array(1 - abs(column - c)))
                total += weight * (np.cos(angle) * (row - r) + np.sin(angle) * (column - c))
        assert value == pytest.approx(np.sqrt(2) * total)


def test_noise_is_nothing_at_the_lattice_and_stays_within_one() -> None:
    rows, columns = np.meshgrid(np.arange(5.0), np.arange(6.0), indexing="ij")
    assert gradient_noise(rows, columns, np.random.default_rng(0)) == pytest.approx(0)
    fine = np.meshgrid(np.linspace(0, 30, 700), np.linspace(0, 30, 700), indexing="ij")
    assert 0.8 < np.abs(gradient_noise(*fine, np.random.default_rng(0))).max() <= 1


def test_a_higher_threshold_marks_less_of_the_same_noise() -> None:
    low, high = (perlin_mask((90, 120), threshold, np.random.default_rng(3)) for threshold in (0.3, 0.5))
    assert low.sum() > high.sum() > 0
    assert not (high & ~low).any()


def test_every_finish_gives_a_texture_of_its_own() -> None:
    pictures = {kind: lit(kind, (48, 64), np.random.default_rng(1)) for kind in kinds()}
    assert {"ground", "milled", "cast", "asphalt"} <= set(pictures)
    for kind, picture in pictures.items():
        assert picture.shape == (48, 64, 3)
        assert picture.std() > 0, kind
    assert len({picture.tobytes() for picture in pictures.values()}) == len(pictures)
    first, second = (texture((48, 64), np.random.default_rng(seed)) for seed in (0, 0))
    assert first[0] == second[0]
    assert np.array_equal(first[1], second[1])


def test_the_pasted_pixels_are_the_papers_blend(tmp_path: Path) -> None:
    """On a flat picture the change is β·(A − I), so that all of it is linear in the texture that β = 1 shows."""
    picture = tmp_path / "flat.png"
    Image.fromarray(np.full((64, 80), 128, np.uint8)).save(picture)
    made = {}
    for opacity in (0.5, 1.0):
        synthesis = factory_of("draem")(Request((picture,), 5), opacity=(opacity, opacity))
        made[opacity] = carry_out(synthesis, tmp_path / f"{opacity}")[0]
    half, whole = (made[opacity].image.astype(float) - 128 for opacity in (0.5, 1.0))
    assert np.array_equal(made[0.5].defects, made[1.0].defects)
    assert np.abs(half - whole / 2).max() <= 1
    inside = made[1.0].defects > 0
    assert pearsonr(half[inside], whole[inside]).statistic > 0.99


def test_opacities_and_textures_are_written_down(tmp_path: Path) -> None:
    picture = saved(tmp_path / "good.png", surface(1, (60, 80)))
    synthesis = factory_of("draem")(Request((picture,)), count=8)
    records = [frame.refinement for frame in carry_out(synthesis, tmp_path / "out")]
    opacities = [record["pasted"][0]["opacity"] for record in records if record]
    assert 0.1 <= min(opacities) < max(opacities) <= 1
    assert {record["pasted"][0]["texture"] for record in records if record} <= set(kinds())
    assert read_photograph(picture).pixels.shape == (60, 80)
