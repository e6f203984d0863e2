import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO

from procgen.surface.layer import Family, Instance
from scenes import Dataset, DatasetError, DatasetWriter, Recipe, draw, load_recipe
from scenes.datasets import files
from scenes.pictures import png
from scenes.recipes.recipe import recipe_from

WriteFrame = Callable[[DatasetWriter, int], None]
FRAMES = 4
BEGUN_AS = "l" * 29 + "A" + "l" * 33  # cut in the middle where it is shown


@pytest.fixture
def finished(tmp_path: Path, small_plate: Recipe, write_frame: WriteFrame) -> Path:
    """A dataset of four frames, whole."""
    path = tmp_path / "data"
    writer = DatasetWriter(path, small_plate, 5, FRAMES, samples=8)
    for index in writer.missing():
        write_frame(writer, index)
    writer.finish()
    return path


def without_digests(folder: Path) -> None:
    """A dataset as it was before its files had digests."""
    for path in (folder / "dataset.json", *folder.glob("scenes/*.json"), folder / "annotations.json"):
        written = json.loads(path.read_bytes())
        path.write_bytes(
            files.as_json({key: value for key, value in written.items() if key not in ("sha256", "files")})
        )


def rewritten(path: Path, **changed: object) -> None:
    """A file of a dataset with other values, and a digest that fits them."""
    written = json.loads(path.read_bytes())
    path.write_bytes(files.sealed({**{key: value for key, value in written.items() if key != "sha256"}, **changed}))


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_frames_come_back_as_written(finished: Path, small_plate: Recipe) -> None:
    dataset = Dataset(finished)
    assert len(dataset) == FRAMES
    assert dataset.complete
    assert dataset.classes == {"crack": 0, "water_stain": 1}
    assert dataset.families == {"crack": "defect", "water_stain": "impurity"}
    assert (dataset.recipe, dataset.recipe_name, dataset.seed) == (small_plate, "plate", 5)
    for index, frame in enumerate(dataset):
        assert frame.index == index
        assert frame.image.dtype == np.uint8
        assert np.array_equal(frame.image, np.random.default_rng(index).integers(0, 256, (48, 64, 3), dtype=np.uint8))
        assert frame.classes[5, 9] == 3
        assert frame.defects[2:6, 3 : 10 + index].all()
        assert frame.impurities.sum() == 144
        assert frame.scene == draw(small_plate, 5, index)
        assert [(i.id, i.family, i.class_name) for i in frame.instances][2] == (1, "impurity", "water_stain")
    assert dataset[-1].index == FRAMES - 1


def test_deep_masks_keep_all_16_bits(tmp_path: Path, small_plate: Recipe) -> None:
    more: dict[str, Family] = {f"class {k}": "defect" for k in range(14)}
    writer = DatasetWriter(tmp_path, small_plate, 0, 1, classes=more)
    mask = np.random.default_rng(0).integers(0, 65536, (48, 64), dtype=np.uint16)
    deep = np.random.default_rng(1).integers(0, 65536, (48, 64, 3), dtype=np.uint16)
    numbers = [int(number) for number in np.unique(mask) if number]
    everything = [Instance(k, "defect", "crack") for k in numbers]
    everything += [Instance(k, "impurity", "water_stain") for k in numbers]
    writer.write(0, deep, mask, mask[::-1], mask[:, ::-1], draw(small_plate, 0, 0), everything)
    frame = Dataset(tmp_path)[0]
    assert np.array_equal(frame.image, deep)
    assert np.array_equal(frame.classes, mask)
    assert np.array_equal(frame.defects, mask[::-1])
    assert np.array_equal(frame.impurities, mask[:, ::-1])


def test_pycocotools_decodes_the_annotations_to_the_maps(finished: Path) -> None:
    coco = COCO(str(finished / "annotations.json"))
    dataset = Dataset(finished)
    assert {c["name"]: c["supercategory"] for c in coco.loadCats(coco.getCatIds())} == dataset.families
    for frame in dataset:
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=[frame.index]))
        assert len(annotations) == 3
        for annotation in annotations:
            category = coco.loadCats([annotation["category_id"]])[0]
            ids = frame.defects if category["supercategory"] == "defect" else frame.impurities
            mask = ids == annotation["instance"]
            assert np.array_equal(coco.annToMask(annotation), mask)
            rows, columns = np.nonzero(mask)
            assert annotation["area"] == mask.sum()
            assert annotation["bbox"] == [
                columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1
            ]  # fmt: skip


def test_same_frames_same_bytes_in_any_order(
    finished: Path, tmp_path: Path, small_plate: Recipe, write_frame: WriteFrame
) -> None:
    writer = DatasetWriter(tmp_path / "again", small_plate, 5, FRAMES, samples=8)
    for index in reversed(range(FRAMES)):
        write_frame(writer, index)
    writer.finish()
    writer.finish()
    assert _contents(tmp_path / "again") == _contents(finished)


WRITE_FOREVER = """
import sys
import numpy as np
from procgen.surface.layer import Instance
from scenes import DatasetWriter, draw
from scenes.recipes.recipe import Recipe
recipe = Recipe.model_validate_json(open(sys.argv[2]).read())
writer = DatasetWriter(sys.argv[1], recipe, 5, 12)
for index in writer.missing():
    rng = np.random.default_rng(index)
    image = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    mask = rng.integers(0, 2, (48, 64), dtype=np.uint16)
    crack = Instance(1, "defect", "crack")
    writer.write(index, image, mask, mask, 0 * mask, draw(recipe, 5, index), [crack])
writer.finish()
"""


def test_killed_at_any_moment_a_run_resumes_to_the_same_bytes(tmp_path: Path, small_plate: Recipe) -> None:
    (tmp_path / "recipe.json").write_text(small_plate.model_dump_json())

    def start(name: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", WRITE_FOREVER, str(tmp_path / name), str(tmp_path / "recipe.json")]
        return subprocess.Popen(command, cwd=Path(__file__).parents[3])

    undisturbed = start("undisturbed")
    assert undisturbed.wait(60) == 0
    for committed in (0, 3, 7):  # kill three times, each a little after that many frames
        process = start("killed")
        scenes = tmp_path / "killed" / "scenes"
        while process.poll() is None and (not scenes.is_dir() or len(list(scenes.glob("0*.json"))) < committed):
            time.sleep(0.0005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert start("killed").wait(60) == 0
    assert _contents(tmp_path / "killed") == _contents(tmp_path / "undisturbed")


def test_a_frame_without_its_scene_file_is_not_there(
    tmp_path: Path, small_plate: Recipe, write_frame: WriteFrame
) -> None:
    writer = DatasetWriter(tmp_path, small_plate, 5, 3)
    write_frame(writer, 0)
    write_frame(writer, 1)
    (tmp_path / "scenes" / "000001.json").unlink()
    assert writer.missing() == (1, 2)
    assert [frame.index for frame in Dataset(tmp_path)] == [0]
    assert not Dataset(tmp_path).complete
    with pytest.raises(DatasetError, match="2 of 3 frames are missing, the first is 1"):
        writer.finish()


def test_leftovers_of_a_killed_writer_are_removed(tmp_path: Path, small_plate: Recipe, write_frame: WriteFrame) -> None:
    DatasetWriter(tmp_path, small_plate, 5, 1)
    leftover = tmp_path / "images" / ".000000.png.99999999.tmp"
    of_the_living = tmp_path / "images" / f".000000.png.{os.getppid()}.tmp"
    leftover.touch()
    of_the_living.touch()
    writer = DatasetWriter(tmp_path, small_plate, 5, 1)
    assert not leftover.exists()
    assert of_the_living.exists()
    write_frame(writer, 0)
    writer.finish()
    assert not of_the_living.exists()


def test_a_dataset_grows_but_never_shrinks(finished: Path, small_plate: Recipe, write_frame: WriteFrame) -> None:
    writer = DatasetWriter(finished, small_plate, 5, FRAMES + 1, samples=8)
    assert writer.missing() == (FRAMES,)
    assert not (finished / "annotations.json").exists()
    write_frame(writer, FRAMES)
    writer.finish()
    assert len(Dataset(finished)) == FRAMES + 1
    with pytest.raises(DatasetError, match="has 5 frames, more than the 2 asked for"):
        DatasetWriter(finished, small_plate, 5, 2, samples=8)


def test_another_recipe_seed_or_setting_is_refused_by_name(finished: Path, small_plate: Recipe) -> None:
    before = _contents(finished)
    for arguments, settings, told in (
        ((small_plate, 6), {"samples": 8}, "seed is 5 there and 6 now"),
        ((small_plate, 5), {"samples": 9}, "settings.samples is 8 there and 9 now"),
        ((small_plate.without("defects"), 5), {"samples": 8}, "recipe.switched_off is [] there and ['defects'] now"),
        ((load_recipe("magnetic_tile"), 5), {"samples": 8}, "begun differently"),
    ):
        with pytest.raises(DatasetError, match="begun differently") as refusal:
            DatasetWriter(finished, *arguments, FRAMES, **settings)
        assert told in str(refusal.value)
    assert _contents(finished) == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda fields: fields["defects"][1].update(depth_um=7.0),
            r"recipe\.defects\.1\.depth_um is .* there and 7\.0 now;",
        ),
        (lambda fields: fields["defects"].pop(), r"recipe\.defects has 4 entries there and 3 now, and"),
        (
            lambda fields: fields["defects"].insert(0, fields["defects"].pop(1)),
            r"recipe\.defects\.0\.kind is 'crack' there and 'scratch' now",
        ),
        (
            lambda fields: fields.update(name=BEGUN_AS.replace("A", "B")),
            r"recipe\.name is …Alll\S* there and …Blll\S* now;",
        ),
        (
            lambda fields: fields["camera"].update(resolution=[321, 256]),
            r"resolution is \[.*\] there and \[321, 256\] now;",
        ),
    ],
    ids=["a field", "an entry less", "another order", "the middle of a long text", "a short list"],
)
def test_the_field_that_differs_is_named(change: Callable[[dict[str, Any]], object], told: str, tmp_path: Path) -> None:
    fields = json.loads(load_recipe("plate").model_dump_json()) | {"name": BEGUN_AS}
    DatasetWriter(tmp_path, recipe_from(fields, "begun"), 5, 1)
    change(fields)
    with pytest.raises(DatasetError, match=told):
        DatasetWriter(tmp_path, recipe_from(fields, "other"), 5, 1)


def test_a_folder_of_other_things_and_a_file_are_refused(tmp_path: Path, small_plate: Recipe) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(DatasetError, match=r"found other files and no dataset\.json"):
        DatasetWriter(tmp_path, small_plate, 0, 1)
    assert os.listdir(tmp_path) == ["holiday.jpg"]
    with pytest.raises(DatasetError, match="found a file; expected a folder"):
        DatasetWriter(tmp_path / "holiday.jpg", small_plate, 0, 1)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EIO])
def test_a_refusing_disk_leaves_nothing_half_written(
    tmp_path: Path, small_plate: Recipe, write_frame: WriteFrame, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    writer = DatasetWriter(tmp_path, small_plate, 5, 2)
    write_frame(writer, 0)
    before = _contents(tmp_path)

    def refuse(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files.os, "fsync", refuse)
    with pytest.raises(DatasetError, match=r"images/000001\.png: ") as refusal:
        write_frame(writer, 1)
    assert "\n" not in str(refusal.value)
    monkeypatch.undo()
    assert _contents(tmp_path) == before
    assert writer.missing() == (1,)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_told(tmp_path: Path, small_plate: Recipe) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(DatasetError, match="not allowed to write here; choose a folder"):
        DatasetWriter(tmp_path / "data", small_plate, 0, 1)


def test_a_folder_of_the_kernel_is_told(small_plate: Recipe) -> None:
    with pytest.raises(DatasetError, match="/proc/blemish: "):
        DatasetWriter("/proc/blemish", small_plate, 0, 1)


def test_truncated_and_missing_pictures_are_named_with_the_mend(finished: Path) -> None:
    for folder, name in (("images", "image"), ("classes", "classes"), ("defects", "defects")):
        path = finished / folder / "000002.png"
        path.write_bytes(path.read_bytes()[:-30])
        with pytest.raises(DatasetError, match=r"is truncated or damaged .*; mend it with: blemish verify") as refusal:
            getattr(Dataset(finished)[2], name)
        assert str(refusal.value).startswith(f"{path}: ")
    (finished / "impurities" / "000001.png").unlink()
    with pytest.raises(DatasetError, match=r"impurities/000001\.png: missing, though"):
        _ = Dataset(finished)[1].impurities
    (finished / "images" / "000000.png").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"images/000000\.png: is empty"):
        _ = Dataset(finished)[0].classes


def test_masks_of_another_size_or_depth_are_named(finished: Path) -> None:
    without_digests(finished)
    path = finished / "defects" / "000003.png"
    path.write_bytes(png.encode(np.zeros((10, 20), np.uint16)))
    with pytest.raises(DatasetError, match=r"000003\.png: found 20 x 10 pixels; expected 64 x 48, the size of its"):
        _ = Dataset(finished)[3].defects
    path.write_bytes(png.encode(np.zeros((48, 64), np.uint8)))
    with pytest.raises(DatasetError, match=r"000003\.png: found uint8 .*; expected 16-bit grey"):
        _ = Dataset(finished)[3].defects


def test_damaged_scene_files_are_named(finished: Path) -> None:
    path = finished / "scenes" / "000001.json"
    whole = json.loads(path.read_bytes())
    stains = next(k for k, layer in enumerate(whole["scene"]["layers"]) if layer["kind"] == "water_stains")
    for damaged, told in (
        ("{", "truncated or damaged, not JSON"),
        ("[]", "mend it with: blemish verify"),
        (json.dumps(whole | {"schema": 7}), "schema"),
        (json.dumps(whole | {"instances": [{"id": 0, "family": "defect", "class": "crack"}]}), "instances.0.id"),
    ):
        path.write_text(damaged)
        with pytest.raises(DatasetError, match=r"scenes/000001\.json: ") as refusal:
            _ = Dataset(finished)[1].scene
        assert told in str(refusal.value)
    whole["scene"]["layers"][stains]["stains"]["radius"] = -1
    path.write_text(json.dumps(whole))
    with pytest.raises(DatasetError, match=r"scenes/000001\.json: .*radius"):
        _ = Dataset(finished)[1].scene


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "truncated or damaged, not JSON"),
        (b"\xff\xfe", "truncated or damaged, not JSON"),
        (b"[" * 100_000, "truncated or damaged, not JSON"),
        (b"[]", "found []"),
        (b'{"schema": 2}', r"written by a newer Blemish (schema 2; this one reads up to 1); update Blemish"),
        (b'{"schema": "1"}', "schema: found '1'"),
        (b'{"schema": 1}', "expected the file as Blemish wrote it"),
    ],
    ids=range(7),
)
def test_headers_that_cannot_be_read_are_told(finished: Path, content: bytes, told: str) -> None:
    (finished / "dataset.json").write_bytes(content)
    with pytest.raises(DatasetError) as refusal:
        Dataset(finished)
    assert str(refusal.value).startswith(f"{finished / 'dataset.json'}: ")
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_empty_absent_and_unfinished_folders_are_told_apart(tmp_path: Path, small_plate: Recipe) -> None:
    with pytest.raises(DatasetError, match="found nothing; expected the folder of a dataset"):
        Dataset(tmp_path / "absent")
    with pytest.raises(DatasetError, match=r"holds no dataset\.json"):
        Dataset(tmp_path)
    DatasetWriter(tmp_path / "begun", small_plate, 0, 3)
    with pytest.raises(DatasetError, match="holds no finished frame yet"):
        Dataset(tmp_path / "begun")


def test_no_link_leads_out_of_the_dataset(finished: Path, tmp_path: Path, small_plate: Recipe) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes((finished / "images" / "000000.png").read_bytes())
    (finished / "images" / "000000.png").unlink()
    (finished / "images" / "000000.png").symlink_to(secret)
    with pytest.raises(DatasetError, match="a link that leads out of the dataset"):
        _ = Dataset(finished)[0].image
    begun = tmp_path / "begun"
    DatasetWriter(begun, small_plate, 0, 1)
    (begun / "images").rmdir()
    (begun / "images").symlink_to(tmp_path)
    with pytest.raises(DatasetError, match="found a link"):
        DatasetWriter(begun, small_plate, 0, 1)


def test_stray_files_are_no_frames(finished: Path) -> None:
    for name in ("0000001.json", "00000a.json", "999999.json", "..json", "-00001.json"):
        (finished / "scenes" / name).touch()
    assert [frame.index for frame in Dataset(finished)] == [0, 1, 2, 3]


def test_arrays_of_other_shapes_and_types_are_refused(tmp_path: Path, small_plate: Recipe) -> None:
    writer = DatasetWriter(tmp_path, small_plate, 0, 1)
    image, mask, scene = np.zeros((48, 64, 3), np.uint8), np.zeros((48, 64), np.uint16), draw(small_plate, 0, 0)
    for arrays, told in (
        ((image[1:], mask, mask, mask), "images of shape"),
        ((image, mask[1:], mask, mask), "classes of shape"),
        ((image, mask, mask.astype(np.uint8), mask), "defects of type uint8"),
        ((image, mask, mask, image.astype(np.uint16)), "impurities of type uint16"),
        ((image.astype(float), mask, mask, mask), "found float64"),
    ):
        with pytest.raises(ValueError, match=told):
            writer.write(0, *arrays, scene, ())
    with pytest.raises(ValueError, match="frame 1 of a dataset of 1"):
        writer.write(1, image, mask, mask, mask, scene, ())
    assert writer.missing() == (0,)


def test_what_was_done_to_a_picture_is_kept_with_its_frame(tmp_path: Path, small_plate: Recipe) -> None:
    writer = DatasetWriter(tmp_path, small_plate, 0, 2, classes={"dent": "defect"}, refined={"model": "embedded"})
    mask = np.full((48, 64), 4, np.uint16)
    record = {"parents": [{"frame": 0, "sha256": "00"}], "metrics": {"psnr": None}}
    for index, told in enumerate((record, None)):
        scene, dent = draw(small_plate, 0, index), Instance(4, "defect", "dent")
        writer.write(index, np.zeros((48, 64, 3), np.uint8), mask, mask, 0 * mask, scene, [dent], told)
    writer.finish()
    refined, plain = Dataset(tmp_path)
    assert refined.refinement == record
    assert plain.refinement is None
    assert "refinement" not in json.loads((tmp_path / "scenes" / "000001.json").read_bytes())
    assert Dataset(tmp_path).classes == {"crack": 0, "water_stain": 1, "dent": 2}
    assert Dataset(tmp_path).header.settings == {"refined": {"model": "embedded"}}
    categories = json.loads((tmp_path / "annotations.json").read_bytes())["categories"]
    assert [category["name"] for category in categories] == ["crack", "water_stain", "dent"]
    path = tmp_path / "scenes" / "000000.json"
    path.write_text(path.read_text().replace('"frame": 0', '"frame": "first"'))
    with pytest.raises(DatasetError, match=r"refinement\.parents\.0\.frame"):
        _ = Dataset(tmp_path)[0].refinement


def test_no_more_classes_than_a_mask_tells_apart(tmp_path: Path, small_plate: Recipe) -> None:
    more: dict[str, Family] = {f"kind{number}": "defect" for number in range(15)}
    with pytest.raises(DatasetError, match="17 classes"):
        DatasetWriter(tmp_path / "new", small_plate, 0, 1, classes=more)
    assert not (tmp_path / "new").exists()
