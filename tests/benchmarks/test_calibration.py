import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.special import ndtr

from benchmarks.calibration import halves, separation
from scenes import read_samples
from scenes.formats.sample import Sample


@pytest.mark.parametrize("apart", [0.0, 1.5])
def test_normal_rows_are_told_apart_as_well_as_their_distance_allows(apart: float) -> None:
    """Of two normal distributions d deviations apart the area under the best curve is Φ(d/√2)."""
    rng = np.random.default_rng(0)
    real, rendered, other, frames = (rng.standard_normal((600, 4)) for _ in range(4))
    rendered[:, 2] += apart
    frames[:, 2] += apart
    assert separation(real, rendered, other, frames) == pytest.approx(ndtr(apart / np.sqrt(2)), abs=0.04)


def write_set(folder: Path, masks: dict[str, float | None]) -> Path:
    """Pictures of two to a surface; of masks, the share that is flawed."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    with (folder / "manifest.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["group", "label", "image", "mask"])
        for number, (name, share) in enumerate(masks.items()):
            Image.fromarray(rng.integers(0, 255, (50, 50), np.uint8)).save(folder / f"{name}.png")
            if share is not None:
                mask = np.zeros(2500, np.uint8)
                mask[: round(2500 * share)] = 255
                Image.fromarray(mask.reshape(50, 50)).save(folder / f"{name}_mask.png")
            label, mask_name = ("good", "") if share is None else ("crack", f"{name}_mask.png")
            rows.writerow([f"surface {number // 2}", label, f"{name}.png", mask_name])
    return folder


def surfaces(samples: list[Sample]) -> set[str]:
    """Without the name of the folder that they are listed in."""
    return {sample.group.split("/")[-1] for sample in samples}


def test_halves_share_no_surface_and_hold_good_pictures(tmp_path: Path) -> None:
    real = write_set(tmp_path / "set", {f"p{k:02d}": 0.1 if k % 4 == 0 else None for k in range(32)})
    (tmp_path / "home").mkdir()
    folders, judged = halves(real, tmp_path / "home")
    fitted, other, whole = (surfaces(samples) for samples in (*map(read_samples, folders), judged))
    assert not fitted & whole
    assert other <= whole
    assert {sample.label for sample in judged} == {"good", "crack"}
    names = {sample.image_path.name for folder in folders for sample in read_samples(folder)}
    assert names == {f"p{k:02d}.png" for k in range(32) if k % 4}


def test_of_a_set_without_good_pictures_those_with_little_flaws_count(tmp_path: Path) -> None:
    real = write_set(tmp_path / "set", {f"p{k:02d}": 0.01 if k % 2 else 0.3 for k in range(16)})
    (tmp_path / "home").mkdir()
    folders, judged = halves(real, tmp_path / "home")
    assert not judged
    names = {sample.image_path.name for folder in folders for sample in read_samples(folder)}
    assert names == {f"p{k:02d}.png" for k in range(16) if k % 2}
