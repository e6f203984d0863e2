"""Small labelled sets that tests write: ground-looking surfaces, grey or in colour, with dark blobs that masks mark."""

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from scenes.pictures import png


def surface(seed: int, shape: tuple[int, ...], tone: float = 0.5) -> np.ndarray:
    """Streaks around a tone, as fractions (H, W[, 3])."""
    random = np.random.default_rng(seed)
    streaks = gaussian_filter(random.normal(size=shape[:2]), (0, 4)) + 0.2 * random.normal(size=shape[:2])
    grey = tone + 0.08 * streaks / np.abs(streaks).max()
    return grey if len(shape) == 2 else grey[..., None] * np.array([1.0, 0.9, 0.8])


def saved(path: Path, fractions: np.ndarray, dtype: type = np.uint8) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png.encode(np.rint(fractions * np.iinfo(dtype).max).astype(dtype)))
    return path


def flawed(fractions: np.ndarray, blob: np.ndarray, darker: float = 0.3) -> np.ndarray:
    """With a blob that is darker and rough inside."""
    rough = 0.05 * np.random.default_rng(blob.sum()).normal(size=blob.shape)
    drop = np.where(blob, -darker + rough, 0.0)
    return np.clip(fractions + (drop if fractions.ndim == 2 else drop[..., None]), 0, 1)


def disc(shape: tuple[int, ...], row: float, column: float, radius: float) -> np.ndarray:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def mvtec_set(folder: Path, shape: tuple[int, ...] = (64, 80)) -> Path:
    """Three good pictures to learn from, one to test on, two flawed ones of class pit and one of class spot."""
    for number in range(3):
        saved(folder / "train" / "good" / f"{number:03d}.png", surface(number, shape, 0.6))
    saved(folder / "test" / "good" / "000.png", surface(9, shape))
    blobs = {"pit/000": disc(shape, 20, 30, 6), "pit/001": disc(shape, 40, 20, 9), "spot/000": disc(shape, 30, 60, 4)}
    for number, (name, blob) in enumerate(blobs.items()):
        saved(folder / "test" / f"{name}.png", flawed(surface(20 + number, shape, 0.4), blob))
        mask = folder / "ground_truth" / f"{name}_mask.png"
        mask.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(blob).save(mask)
    return folder
