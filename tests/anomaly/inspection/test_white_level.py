"""An inspector keeps what white was in the pictures it learnt, and sees others by it."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

import blemish
from anomaly.inspection.inspector import Inspector
from anomaly.inspection.train import train_inspector
from procgen.errors import BlemishNote
from scenes.formats.registry import read_samples
from scenes.pictures.errors import PictureError
from scenes.pictures.reading import ReadingOptions

GREY = np.random.default_rng(0).integers(90, 130, (5, 48, 64))


def surfaces(folder: Path, white: float, kind: type = np.uint16, share: float = 1.0) -> Path:
    """Two good pictures to train on, two others and a flawed one, of a camera with this white; share: of its light."""
    for number, where in enumerate(("train/good/0", "train/good/1", "test/good/0", "test/good/1", "test/blob/0")):
        path = folder / f"{where}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        values = GREY[number] / 255 * white * share
        tifffile.imwrite(path, (np.rint(values) if kind is not np.float32 else values).astype(kind))
    mask = np.zeros(GREY[0].shape, np.uint8)
    mask[10:20, 20:30] = 255
    path = folder / "ground_truth/blob/0_mask.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(mask).save(path)
    return folder


@pytest.fixture(scope="module")
def twelve_bits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An inspector of pictures of 12 bits."""
    folder = tmp_path_factory.mktemp("white")
    train = ["train", str(surfaces(folder / "parts", 4095)), "--size", "16", "--epochs", "1", "--backbone", "filters"]
    assert blemish.run([*train, "--out", str(folder / "bank")]) == 0
    return folder / "bank"


def evaluated(bank: Path, folder: Path, *options: str) -> int:
    command = ["evaluate", str(bank), str(folder), "--out", str(folder.parent / "report"), "--threshold", "0.5"]
    return blemish.run([*command, *options])


def test_the_white_level_is_kept_and_taken_for_darker_pictures(
    twelve_bits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Inspector.load(twelve_bits).training.white_level == 4095
    dark = surfaces(tmp_path / "dark", 4095, share=0.3)  # by itself taken for 10 bits
    learnt = read_samples(dark, options=ReadingOptions(learnt=4095))
    assert learnt[0].image().max() == pytest.approx(0.3 * GREY.max(), abs=1)
    assert evaluated(twelve_bits, dark) == 0
    assert "white is taken to be 4095, as in the pictures trained on" in capsys.readouterr().err
    assert blemish.run(["bank", str(twelve_bits)]) == 0
    assert "white     4095" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("white", "kind", "told"),
    [(65535, np.uint16, "beyond the 4095"), (1, np.float32, "less than 8 grey levels of the")],
)
def test_pictures_of_another_white_are_refused_unless_it_is_named(
    twelve_bits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], white: float, kind: type, told: str
) -> None:
    folder = surfaces(tmp_path / "others", white, kind)
    assert evaluated(twelve_bits, folder) == 2
    assert told in capsys.readouterr().err
    assert evaluated(twelve_bits, folder, "--white-level", str(white)) == 0
    assert f"white is {white:g}, and was 4095 in the pictures trained on" in capsys.readouterr().err


def test_pictures_of_8_bits_have_their_own_white(twelve_bits: Path, tmp_path: Path) -> None:
    folder = surfaces(tmp_path / "eight", 255, np.uint8)
    assert np.array_equal(read_samples(folder, options=ReadingOptions(learnt=4095))[1].image()[..., 0], GREY[1])
    assert evaluated(twelve_bits, folder) == 0


def test_two_whites_in_one_training_are_said(tmp_path: Path) -> None:
    samples = [
        sample
        for white in (1023, 4095)
        for sample in read_samples(surfaces(tmp_path / str(white), white), options=ReadingOptions(white))
    ]
    with pytest.warns(BlemishNote, match="white is 1023 and 4095 in pictures of more than 8 bits that are trained on"):
        inspector = train_inspector(samples, tmp_path / "bank", size=16, epochs=1, backbone="filters")
    assert inspector.training.white_level is None


def test_a_threshold_that_is_a_number_needs_no_validation_pictures(
    twelve_bits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = surfaces(tmp_path / "parts", 4095)
    assert evaluated(twelve_bits, folder, "--validation", str(folder)) == 2
    assert "--threshold 0.5: is a number, for which nothing is found on --validation" in capsys.readouterr().err


def test_photographs_beyond_the_limit_are_refused(twelve_bits: Path, tmp_path: Path) -> None:
    folder = surfaces(tmp_path / "parts", 4095)
    assert evaluated(twelve_bits, folder, "--most-pixels", "0.001") == 2
    with pytest.raises(PictureError, match=r"is 64 x 48 pixels, more than 0\.001 million; .* or raise --most-pixels"):
        read_samples(folder, options=ReadingOptions(most_pixels=1000))
