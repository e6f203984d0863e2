"""What several tests of inspectors share."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise of one grey, 6 good pictures to train on, 4 to test and 4 with a bright square, which the masks mark."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for kind, count in (("masks", 0), ("good", 6), ("good_test", 4), ("bad", 4)):
        (root / kind).mkdir()
        for index in range(count):
            picture = rng.normal(120, 8, (64, 64, 3)).clip(0, 255).astype(np.uint8)
            if kind == "bad":
                picture[16:40, 24:48] = 255
                mask = np.zeros((64, 64), np.uint8)
                mask[16:40, 24:48] = 255
                Image.fromarray(mask).save(root / "masks" / f"{index}.png")
            Image.fromarray(picture).save(root / kind / f"{index}.png")
    return root


def folder_of_good(root: Path, greys: Sequence[int], seed: int) -> Path:
    """Good pictures to train on, noise of one grey each."""
    rng = np.random.default_rng(seed)
    (root / "train" / "good").mkdir(parents=True)
    for index, grey in enumerate(greys):
        picture = rng.normal(grey, 15, (64, 80, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(picture).save(root / "train" / "good" / f"{seed}_{index}.png")
    return root


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Three dark pictures and three bright ones, for two banks."""
    root = tmp_path_factory.mktemp("pictures")
    return folder_of_good(root / "dark", (70, 80, 90), 1), folder_of_good(root / "bright", (170, 180, 190), 2)
