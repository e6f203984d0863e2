"""Whatever is changed in a dataset is noticed, by verify and by readers, named, and made anew."""

import hashlib
import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from procgen.errors import BlemishError, BlemishNote
from scenes import Dataset, DatasetError, DatasetWriter, Recipe
from scenes.datasets import files
from scenes.datasets.annotations import coco_annotations
from scenes.datasets.verify import damages, discard_damaged, repair
from scenes.formats.registry import read_samples
from scenes.pictures import png
from tests.scenes.datasets.test_dataset import _contents, finished, rewritten, without_digests

WriteFrame = Callable[[DatasetWriter, int], None]
__all__ = ["finished"]


def everything_read(folder: Path) -> None:
    """Read a dataset as training, evaluation and refinement do."""
    for sample in read_samples(folder):
        sample.image()
        sample.truth()
    for frame in Dataset(folder):
        _ = (frame.image, frame.classes, frame.defects, frame.impurities, frame.scene)


def resumed(folder: Path, recipe: Recipe, write_frame: WriteFrame) -> None:
    writer = DatasetWriter(folder, recipe, 5, 4, samples=8)
    for index in writer.missing():
        write_frame(writer, index)
    writer.finish()


def test_files_are_named_by_their_own_sha256(finished: Path) -> None:
    assert not list(damages(finished))
    for frame in Dataset(finished):
        assert frame.digests == {
            name: hashlib.sha256((finished / name / f"{frame.index:06d}.png").read_bytes()).hexdigest()
            for name in ("images", "classes", "defects", "impurities")
        }
    for name in ("dataset.json", "annotations.json", "scenes/000000.json"):
        before, _, seal = (finished / name).read_text().rpartition(',\n "sha256": ')
        assert json.loads("{" + f'"sha256": {seal}')["sha256"] == hashlib.sha256(before.encode()).hexdigest()


def test_flipped_bits_of_every_file_are_noticed_and_mended_on_resuming(
    finished: Path, tmp_path: Path, small_plate: Recipe, write_frame: WriteFrame
) -> None:
    whole = _contents(finished)
    rng = np.random.default_rng(0)
    damaged = tmp_path / "damaged"
    for name, content in whole.items():
        for bit in rng.integers(0, 8 * len(content), 6):
            shutil.rmtree(damaged, ignore_errors=True)
            shutil.copytree(finished, damaged)
            changed = bytearray(content)
            changed[bit // 8] ^= 1 << bit % 8
            (damaged / name).write_bytes(changed)
            if name == "dataset.json":
                with pytest.raises(DatasetError, match=r"damaged/dataset\.json: "):
                    list(damages(damaged))
                continue
            found = list(damages(damaged))
            assert [str(damage).startswith(f"{damaged / name}: ") for damage in found] == [True], (name, bit)
            if name != "annotations.json":  # which is for other programs
                with pytest.raises(BlemishError):
                    everything_read(damaged)
            with pytest.warns(BlemishNote, match="it is written anew"):
                resumed(damaged, small_plate, write_frame)
            assert _contents(damaged) == whole


def test_what_somebody_changed_is_refused_on_resuming_and_made_anew_by_repair(
    finished: Path, small_plate: Recipe, write_frame: WriteFrame
) -> None:
    path = finished / "scenes/000001.json"
    record = json.loads(path.read_bytes())
    record["instances"][0]["class"] = "ghost"
    path.write_text(json.dumps(record))
    edited = path.read_bytes()
    with pytest.raises(DatasetError, match=r"scenes/000001\.json: was changed .* by another program; restore it, or"):
        resumed(finished, small_plate, write_frame)
    assert path.read_bytes() == edited
    discard_damaged(finished, edited=True)
    assert not path.exists()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_truncated_files_are_mended_on_resuming(
    finished: Path, small_plate: Recipe, write_frame: WriteFrame, share: float
) -> None:
    whole = _contents(finished)
    for name, content in whole.items():
        if name != "dataset.json":
            (finished / name).write_bytes(content[: int(share * len(content))])
            with pytest.warns(BlemishNote):
                resumed(finished, small_plate, write_frame)
            assert _contents(finished) == whole


def test_repair_makes_what_it_can_anew_and_says_what_is_left(finished: Path) -> None:
    whole = _contents(finished)
    (finished / "annotations.json").write_bytes(b"{")
    assert repair(finished) == ""
    assert _contents(finished) == whole
    (finished / "annotations.json").unlink()
    assert [damage.frame for damage in damages(finished)] == [None]
    assert repair(finished) == ""
    assert _contents(finished) == whole
    written = json.loads(whole["dataset.json"])
    rewritten(finished / "dataset.json", settings={"refined": written["settings"]})
    (finished / "images/000002.png").write_bytes(b"")
    assert "1 damaged frames are discarded; run the command that made" in repair(finished)
    assert [frame.index for frame in Dataset(finished)] == [0, 1, 3]


def test_datasets_without_digests_are_read_and_told_once(
    finished: Path, small_plate: Recipe, write_frame: WriteFrame
) -> None:
    without_digests(finished)
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        everything_read(finished)
    assert {str(note.message) for note in notes} == {
        f"{finished}: its frames hold no digests, as an earlier Blemish wrote them: what was changed in them since is "
        "not noticed"
    }
    assert not list(damages(finished))
    (finished / "defects/000001.png").write_bytes(b"\x89PNG")
    (damage,) = damages(finished)
    assert damage.frame == 1
    with pytest.warns(BlemishNote):
        resumed(finished, small_plate, write_frame)
    assert Dataset(finished)[1].digests


def test_files_that_disagree_are_one_line(finished: Path) -> None:
    without_digests(finished)
    number = np.zeros((48, 64), np.uint16)
    number[0, 0] = 999
    (finished / "defects/000000.png").write_bytes(png.encode(number))
    number[0, 0] = 1 << 9
    (finished / "classes/000001.png").write_bytes(png.encode(number))
    (finished / "images/000002.png").write_bytes(png.encode(np.zeros((48, 60, 3), np.uint8)))
    path = finished / "scenes/000003.json"
    record = json.loads(path.read_bytes())
    record["instances"][0]["class"] = "ghost"
    path.write_text(json.dumps(record))
    told = [str(damage) for damage in damages(finished)]
    assert [
        "defects/000000.png: found the number 999, which scenes/000000.json does not list" in told[0],
        "classes/000001.png: found bit 9, which no class in dataset.json has" in told[1],
        "images/000002.png: found 60 x 48 pixels; expected 64 x 48, as its scene says" in told[2],
        "scenes/000003.json: found the defect 'ghost', which dataset.json does not list" in told[3],
    ] == [True] * 4
    record["instances"][0]["class"] = "crack"
    record["scene"]["camera"]["width"] = 10**400
    files.write_atomically(path, json.dumps(record).encode())
    assert "\n" not in str(list(damages(finished))[3])


def test_annotations_of_other_frames_are_damage(finished: Path) -> None:
    fewer = Dataset(finished)
    fewer.indices = fewer.indices[:2]
    files.write_atomically(finished / "annotations.json", coco_annotations(fewer))
    assert ["is about 2 frames; expected 4" in str(damage) for damage in damages(finished)] == [True]
    assert len(discard_damaged(finished)) == 1
    assert not (finished / "annotations.json").exists()


def test_annotations_of_a_frame_with_a_number_of_thousands_of_digits_are_damage(finished: Path) -> None:
    path = finished / "annotations.json"
    content = b"".join(coco_annotations(Dataset(finished))).replace(
        b'{"id": 0, "file', b'{"id": ' + b"9" * 5000 + b', "file'
    )
    body = content[: content.rindex(b',\n "sha256"')]
    path.write_bytes(b"".join(files.sealed_pieces([body])))
    assert [str(damage) for damage in damages(finished)] == [f"{path}: truncated or damaged"]
