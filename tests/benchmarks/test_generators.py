"""What `benchmarks/generators.py` measures: cuttings hold their defects, and distances rank what is known to rank."""

from pathlib import Path

import numpy as np

from benchmarks.generators import SIDE, batch_of, cuttings, distances, training_step
from diffusion_refine.core.models import load_model
from tests.diffusion_refine.synthesis.labelled_sets import mvtec_set


def test_cuttings_are_squares_round_the_defects_of_a_set(tmp_path: Path) -> None:
    mvtec_set(tmp_path)
    found = cuttings(tmp_path)
    assert found
    assert all(picture.shape == (SIDE, SIDE, 3) for picture in found)
    assert all(np.array_equal(one, other) for one, other in zip(found, cuttings(tmp_path), strict=True))


def test_what_looks_like_the_real_ones_is_nearer_than_what_does_not() -> None:
    rng = np.random.default_rng(0)

    def pictures(dark: float, count: int) -> list[np.ndarray]:
        found = []
        for _ in range(count):
            picture = rng.normal(0.5, 0.05, (64, 64, 1)).clip(0, 1).repeat(3, axis=2).astype(np.float32)
            row, column = rng.integers(8, 40, 2)
            picture[row : row + 16, column : column + 16] *= dark
            found.append(picture)
        return found

    sets = {"real": pictures(0.3, 12), "alike": pictures(0.3, 6), "bright": pictures(1.8, 6)}
    halves, alike, bright = (float(row["distance"]) for row in distances(load_model(device="cpu"), sets))
    assert alike < bright / 2
    assert halves < bright / 2


def test_a_step_is_measured_beside_its_bare_one() -> None:
    (row,) = training_step(quick=True)
    assert row["ratio"] == row["seconds a step"] / row["bare"]
    assert row["seconds with R1"] > 0
    pictures, mask, conditions = batch_of(3, 32)
    assert pictures.shape == (3, 3, 32, 32)
    assert mask.any()
    assert len(conditions.labels) == 3
