"""Reading samples from every kind of folder, and splitting them without parting a surface."""

import csv
import os
import pickle
import shutil
import sys
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

import scenes
from procgen.errors import BlemishError, BlemishNote
from procgen.surface.layer import Instance
from scenes.datasets.writer import DatasetWriter
from scenes.formats.errors import SampleError
from scenes.formats.registry import FORMATS, read_samples
from scenes.formats.sample import Sample
from scenes.formats.splitting import split_by_group
from scenes.formats.truth import DefectInstance, InstanceMaps, Truth, of_components
from scenes.pictures.errors import PictureError
from scenes.pictures.reading import pictures_in

EIGHT = np.ones((3, 3))


def save(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


def grey(value=90, shape=(12, 16)):
    return np.full(shape, value, np.uint8)


@pytest.fixture
def mvtec(tmp_path):
    """Two good training pictures, a good and a scratched test picture whose mask has two blobs, one diagonal."""
    for name in ("000", "001"):
        save(tmp_path / f"train/good/{name}.png", grey())
    save(tmp_path / "test/good/000.png", grey())
    save(tmp_path / "test/scratch/000.png", grey(120))
    mask = np.zeros((12, 16), np.uint8)
    mask[1, 1] = mask[2, 2] = mask[3, 3] = 255
    mask[8:10, 5:9] = 255
    save(tmp_path / "ground_truth/scratch/000_mask.png", mask)
    return tmp_path


def real_set(root, name, rows):
    """A real set's folder with its manifest beside it; rows of (group, label, image array, mask array or None)."""
    with (root / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["set", "group", "label", "image", "mask"])
        writer.writerow(["another", "g", "l", "missing.jpg", ""])
        for number, (group, label, image, mask) in enumerate(rows):
            save(root / name / f"{group}__{number}.png", image)
            if mask is not None:
                save(root / name / f"{group}__{number}_mask.png", mask)
            writer.writerow(
                [name, group, label, f"{group}__{number}.png", "" if mask is None else f"{group}__{number}_mask.png"]
            )
    return root / name


def test_mvtec_folders_give_labels_splits_and_8_connected_instances(mvtec):
    samples = read_samples(mvtec)
    assert [(s.name, s.label, s.split) for s in samples] == [
        ("train/good/000", "good", "train"),
        ("train/good/001", "good", "train"),
        ("test/good/000", "good", "test"),
        ("test/scratch/000", "scratch", "test"),
    ]
    truth = samples[-1].truth()
    assert truth.defect.sum() == 11
    assert sorted(int(i.mask.sum()) for i in truth.instances) == [3, 8]
    assert {(i.family, i.class_name) for i in truth.instances} == {("defect", "scratch")}
    assert not samples[0].truth().defect.any()
    assert samples[0].truth().defect.shape == (12, 16)


def test_samples_are_told_apart_by_what_lies_in_the_folder(tmp_path, mvtec):
    other = tmp_path / "elsewhere"
    other.mkdir()
    with pytest.raises(SampleError, match="is empty"):
        read_samples(other)
    (other / "notes.txt").write_text("hello")
    with pytest.raises(SampleError, match=r"looked for dataset\.json.*train/ or test/.*manifest\.csv"):
        read_samples(other)
    with pytest.raises(SampleError, match="is no folder"):
        read_samples(other / "absent")
    with pytest.raises(SampleError, match="no dataset format"):
        read_samples(mvtec, "pascal")


def blemish_dataset(folder, recipe, crack):
    """Three frames: nothing; a crack of four pixels under a stain, if `crack`; a crack that the camera does not see."""
    writer = DatasetWriter(folder, recipe, 5, 3)
    for index in range(3):
        defects, impurities = np.zeros((48, 64), np.uint16), np.zeros((48, 64), np.uint16)
        instances = [Instance(9, "defect", "crack")] if index == 2 else []
        if index == 1:
            impurities[5:20, 5:20] = 3
            instances.append(Instance(3, "impurity", "water_stain"))
            if crack:
                defects[10, 10:14] = 2
                instances.append(Instance(2, "defect", "crack"))
        classes = (defects > 0) + 2 * (impurities > 0)
        scene = scenes.draw(recipe, 5, index)
        image = np.full((48, 64, 3), 99, np.uint8)
        writer.write(index, image, classes.astype(np.uint16), defects, impurities, scene, instances)
    writer.finish()
    return folder


def test_variants_of_a_frame_show_the_surface_that_it_began_with(tmp_path):
    recipe = scenes.load_recipe("plate")
    recipe = recipe.model_copy(update={"camera": recipe.camera.model_copy(update={"resolution": (64, 48)})})
    began = read_samples(blemish_dataset(tmp_path / "a", recipe, crack=True))
    writer = DatasetWriter(tmp_path / "b", recipe, 5, 4)
    blank = np.zeros((48, 64), np.uint16)
    for index, parents in enumerate(([0], [1], [2], [1, 2])):
        record = {"parents": [{"frame": number} for number in parents]}
        writer.write(index, blank, blank, blank, blank, scenes.draw(recipe, 5, parents[-1]), [], record)
    writer.finish()
    assert [s.group for s in read_samples(tmp_path / "b")] == [began[k].group for k in (0, 1, 2, 2)]


def test_frames_of_blemish_are_labelled_by_what_the_camera_sees(tmp_path):
    recipe = scenes.load_recipe("plate")
    recipe = recipe.model_copy(update={"camera": recipe.camera.model_copy(update={"resolution": (64, 48)})})
    samples = read_samples(blemish_dataset(tmp_path / "a", recipe, crack=True))
    assert [s.label for s in samples] == ["good", "crack", "good"]
    truth = samples[1].truth()
    assert truth.kinds() == [("impurity", "water_stain"), ("defect", "crack")]
    assert truth.areas().tolist() == [225, 4]  # the stain keeps the pixels that it shares with the crack
    assert truth.defect.sum() == 4
    assert not samples[2].truth().kinds()
    twins = read_samples(blemish_dataset(tmp_path / "b", recipe, crack=False))
    assert [s.label for s in twins] == ["good"] * 3
    assert [s.group for s in twins] == [s.group for s in samples]
    (tmp_path / "a/defects/000001.png").write_bytes(b"")
    with pytest.raises(BlemishError, match=r"defects/000001\.png"):
        samples[1].truth()


def test_neu_mask_values_are_classes(tmp_path):
    mask = np.zeros((12, 16), np.uint8)
    mask[0:2, 0:2], mask[2:4, 2:4], mask[6:8, 6:9] = 1, 2, 2
    folder = real_set(tmp_path, "neu_seg_dedup", [("n1", "1+2", grey(), mask)])
    (sample,) = read_samples(folder)
    assert sample.label == "inclusion+patch"
    found = sorted((i.class_name, int(i.mask.sum())) for i in sample.truth().instances)
    # Touching corners of another class do not join.
    assert found == [("inclusion", 4), ("patch", 4), ("patch", 6)]
    mask[11, 11] = 7
    save(sample.annotation.path, mask)
    with pytest.raises(SampleError, match=r"_mask\.png: holds the value 7; expected 0 and 1, 2, 3"):
        sample.truth()


def test_unlabelled_views_never_count_as_good(tmp_path):
    folder = real_set(
        tmp_path, "ballscrew_pitting", [("p1", "no_pit", grey(), None), ("p1", "pit", grey(), grey(255).astype(bool))]
    )
    assert [s.label for s in read_samples(folder)] == ["pit"]
    earlier = read_samples(folder, unlabelled=True)[0]
    assert earlier.label == "unlabelled"
    assert earlier.image().shape == (12, 16, 3)
    with pytest.raises(SampleError, match="is unlabelled"):
        earlier.truth()


def test_templates_of_deeppcb_are_good_and_types_name_the_label(tmp_path):
    folder = real_set(
        tmp_path,
        "deeppcb",
        [("b1", "template", grey(), None), ("b1", "1+3", grey(1), grey(255) > 0), ("b2", "6", grey(2), grey(255) > 0)],
    )
    assert [s.label for s in read_samples(folder)] == ["good", "open+mousebite", "pin_hole"]
    assert {s.group for s in read_samples(folder)} == {"deeppcb/b1", "deeppcb/b2"}


@pytest.mark.parametrize(
    ("array", "mode", "expected"),
    [
        (np.array([[0, 65535, 32896]], np.uint16), None, [0, 255, 128]),
        (np.array([[0, 65535, 257]], np.int32), None, [0, 255, 1]),
        (np.array([[0, 255, 7]], np.uint8), None, [0, 255, 7]),
        (np.array([[False, True, True]]), None, [0, 255, 255]),
        (np.array([[0, 255, 7]], np.uint8), "LA", [0, 255, 7]),
        (np.array([[0, 255, 7]], np.uint8), "RGBA", [0, 255, 7]),
        (np.array([[0, 255, 7]], np.uint8), "P", [0, 255, 7]),
    ],
)
def test_pictures_of_any_mode_become_8_bit_rgb(tmp_path, array, mode, expected):
    image = Image.fromarray(array)
    path = tmp_path / ("a.tif" if array.dtype == np.int32 else "a.png")
    (image.convert(mode) if mode else image).save(path)
    read = Sample("a", "a", "good", path).image()
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, np.repeat(np.uint8(expected)[None, :, None], 3, axis=2))


def test_picture_beyond_16_bits_is_refused(tmp_path):
    save(tmp_path / "a.tif", np.array([[0.0, 1.5]], np.float32))
    with pytest.raises(PictureError, match=r"a\.tif: holds float32 values up to 1\.5; say what white is"):
        Sample("a", "a", "good", tmp_path / "a.tif").image()


def test_damaged_pictures_and_masks_are_named(mvtec):
    scratched = read_samples(mvtec)[-1]
    rng = np.random.default_rng(0)
    save(scratched.image_path, rng.integers(0, 255, (64, 64, 3), np.uint8))
    with pytest.raises(PictureError, match=r"000_mask\.png: is 16 × 12 pixels but its image 000\.png is 64 × 64"):
        scratched.truth()
    content = scratched.image_path.read_bytes()
    scratched.image_path.write_bytes(content[: len(content) // 2])
    with pytest.raises(PictureError, match=r"scratch/000\.png: is truncated or damaged"):
        scratched.image()
    scratched.image_path.write_text("no picture")
    with pytest.raises(PictureError, match=r"000\.png: is no picture"):
        scratched.image()
    scratched.image_path.unlink()
    with pytest.raises(PictureError, match=r"000\.png: is missing"):
        scratched.truth()


def test_every_message_about_bad_input_is_one_line(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"garbage" * 9)
    with pytest.raises(PictureError) as caught:
        Sample("a", "a", "good", tmp_path / "a.png").image()
    assert "\n" not in str(caught.value)


def test_missing_masks_manifests_and_columns_are_named(mvtec, tmp_path):
    (mvtec / "ground_truth/scratch/000_mask.png").unlink()
    with pytest.raises(SampleError, match=r"scratch/000_mask\.png: the mask of test/scratch/000\.png is missing"):
        read_samples(mvtec)
    sets = tmp_path / "sets"
    (sets / "tarmac").mkdir(parents=True)
    (sets / "tarmac" / "a.png").write_text("")
    with pytest.raises(SampleError, match=r"manifest\.csv: is missing"):
        read_samples(sets / "tarmac", "manifest")
    (sets / "manifest.csv").write_text("set,group,label\ntarmac,1,crack\n")
    with pytest.raises(SampleError, match="lacks the columns image;"):
        read_samples(sets / "tarmac")
    (sets / "manifest.csv").write_text("set,group,label,image,mask\ntarmac,1,crack\n")
    with pytest.raises(SampleError, match="another number of columns than the first line's 5"):
        read_samples(sets / "tarmac")
    (sets / "manifest.csv").write_text("set,group,label,image,mask\ntarmac,1,crack,b.png,\n")
    with pytest.raises(SampleError, match=r"b\.png is labelled crack but has no mask; .*tarmac/manifest\.yaml"):
        read_samples(sets / "tarmac")
    (sets / "manifest.csv").write_text("set,group,label,image,mask\ntarmac,1,good,b.png,\n")
    with pytest.raises(SampleError, match=r"b\.png: is listed in manifest\.csv but missing"):
        read_samples(sets / "tarmac")


def test_a_manifest_cannot_lead_out_of_its_folder(tmp_path):
    folder = real_set(tmp_path, "crackforest", [("c", "crack", grey(), grey(255) > 0)])
    manifest = tmp_path / "manifest.csv"
    save(tmp_path / "secret.png", grey())
    manifest.write_text(manifest.read_text().replace("c__0.png", "../secret.png"))
    with pytest.raises(SampleError, match="which is no file inside"):
        read_samples(folder)


def test_a_manifest_that_names_what_no_file_can_be_called_is_refused(tmp_path):
    (tmp_path / "manifest.csv").write_text(f"image,label\n{'a' * 5000}.png,good\n")
    with pytest.raises(SampleError, match=r"manifest\.csv: names 'aaa.*: File name too long; restore it"):
        read_samples(tmp_path)


def test_samples_travel_to_loader_processes(mvtec):
    scratched = pickle.loads(pickle.dumps(read_samples(mvtec)[-1]))
    assert scratched.truth().defect.sum() == 11


def test_areas_of_instance_maps_equal_those_of_their_masks():
    rng = np.random.default_rng(1)
    defects, impurities = rng.integers(0, 4, (9, 11)), rng.integers(0, 3, (9, 11)).astype(np.uint16)
    entries = [("defect", 3, "crack"), ("impurity", 1, "stain"), ("defect", 1, "pit")]
    maps = InstanceMaps({"defect": defects, "impurity": impurities}, entries)
    within = rng.random((9, 11)) > 0.5
    lazy, plain = Truth(defects > 0, maps), Truth(defects > 0, tuple(maps))
    assert lazy.kinds() == plain.kinds() == [("defect", "crack"), ("impurity", "stain"), ("defect", "pit")]
    np.testing.assert_array_equal(lazy.areas(), plain.areas())
    np.testing.assert_array_equal(lazy.areas(within), plain.areas(within))
    np.testing.assert_array_equal(lazy.areas(within), [((defects == 3) & within).sum(), *plain.areas(within)[1:]])
    assert isinstance(maps[0], DefectInstance)
    assert len(maps[1:]) == 2


def made_up(counts, rng):
    """Samples of groups with the given (good, defective) counts, shuffled."""
    samples = [
        Sample(f"{g}-{kind}-{k}", f"group{g}", kind, None)
        for g, pair in enumerate(counts)
        for kind, n in zip(("good", "crack"), pair, strict=True)
        for k in range(n)
    ]
    return [samples[i] for i in rng.permutation(len(samples))]


@pytest.mark.parametrize("seed", range(5))
def test_splits_never_part_a_group_and_keep_the_share_of_defects(seed):
    rng = np.random.default_rng(seed)
    samples = made_up(rng.integers(0, 6, (80, 2)), rng)
    parts = split_by_group(samples, (0.6, 0.2, 0.2), seed)
    groups = [{s.group for s in part} for part in parts]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]
    assert sorted(s.name for part in parts for s in part) == sorted(s.name for s in samples)
    for part, share in zip(parts, (0.6, 0.2, 0.2), strict=True):
        for kind in ("good", "crack"):
            total = sum(s.label == kind for s in samples)
            assert sum(s.label == kind for s in part) == pytest.approx(share * total, abs=4)


def test_splits_depend_on_the_seed_and_on_nothing_else():
    rng = np.random.default_rng(0)
    samples = made_up([(2, 1)] * 30, rng)
    once, again = split_by_group(samples, (0.5, 0.5), 3), split_by_group(samples, (0.5, 0.5), 3)
    assert once == again
    shuffled = split_by_group(samples[::-1], (0.5, 0.5), 3)
    assert {s.group for s in shuffled[0]} == {s.group for s in once[0]}
    assert {s.group for s in split_by_group(samples, (0.5, 0.5), 4)[0]} != {s.group for s in once[0]}


def test_fractions_below_one_leave_samples_over_and_bad_ones_are_refused():
    samples = made_up([(1, 0)] * 20, np.random.default_rng(0))
    (part,) = split_by_group(samples, (0.25,), 0)
    assert len(part) == 5
    assert split_by_group([], (0.5, 0.5), 0) == [[], []]
    for fractions in ((), (-0.1, 0.5), (0.7, 0.7)):
        with pytest.raises(SampleError, match="fractions"):
            split_by_group(samples, fractions, 0)
    assert not split_by_group(samples, (1.0, 0.0), 0)[1]


@pytest.mark.parametrize(
    ("name", "count", "groups", "good"),
    [
        ("magnetic_tile", 420, 133, 192),
        ("crackforest", 68, 68, 0),
        ("ballscrew_pitting", 220, None, 0),
        ("neu_seg_dedup", 659, 659, 0),
        ("deeppcb", 400, 6, 200),
    ],
)
def test_real_sets_have_the_samples_of_their_manifest(real_data, name, count, groups, good):
    samples = read_samples(real_data / name)
    assert len(samples) == len({s.name for s in samples}) == count
    assert sum(s.label == "good" for s in samples) == good
    if groups:
        assert len({s.group for s in samples}) == groups
    sample = next(s for s in samples if s.label != "good")
    truth = sample.truth()
    assert truth.defect.shape == sample.image().shape[:2]
    values = np.array(Image.open(sample.annotation.path)).astype(int)
    expected = sum(ndimage.label(values == v, EIGHT)[1] for v in np.unique(values) if v)
    assert len(truth.instances) == expected > 0
    assert truth.areas().sum() == truth.defect.sum() == (values > 0).sum()


def test_real_tiles_are_split_by_tile(real_data):
    parts = split_by_group(read_samples(real_data / "magnetic_tile"), (0.5, 0.2, 0.3), 0)
    tiles = [Counter(s.group for s in part) for part in parts]
    assert not tiles[0].keys() & tiles[1].keys()
    assert not tiles[0].keys() & tiles[2].keys()
    assert [sum(s.label == "good" for s in part) for part in parts] == pytest.approx([96, 38.4, 57.6], abs=3)


def listed(folder, header, lines):
    """Two pictures, a mask of one and an empty one, and a table of them."""
    for number, name in enumerate(("a.png", "b.png")):
        save(folder / name, np.full((8, 10), 100 + number, np.uint8))
    save(folder / "empty-mask.png", np.zeros((8, 10), np.uint8))
    save(folder / "b-mask.png", np.pad(np.full((2, 2), 255, np.uint8), ((3, 3), (4, 4))))
    (folder / "manifest.csv").write_text("\n".join([header, *lines, ""]))


def test_a_manifest_in_the_folder_needs_image_and_label_alone(tmp_path):
    for name in ("a", "b", "c"):
        save(tmp_path / f"views/{name}.png", grey())
    save(tmp_path / "b_mask.png", np.arange(16) > np.full((12, 1), 9))
    (tmp_path / "manifest.csv").write_text(
        "image,label,mask,split,note\nviews/c.png,fine,,test,\nviews/a.png,good,,train,\nviews/b.png,nick,b_mask.png,,x\n"
    )
    (tmp_path / "manifest.yaml").write_text("labels: {fine: good}\nmask: chip\n")
    samples = read_samples(tmp_path)
    assert [(s.name, s.label, s.split) for s in samples] == [
        ("views/a", "good", "train"),
        ("views/b", "nick", ""),
        ("views/c", "good", "test"),
    ]
    assert samples[1].truth().kinds() == [("defect", "chip")]
    (tmp_path / "manifest.yaml").write_text("lables: {fine: good}\n")
    with pytest.raises(SampleError, match=r"manifest\.yaml: lables: Extra inputs"):
        read_samples(tmp_path)


class Halves:
    """A format from outside, of pictures whose lower half is flawed where their name says so."""

    LOOKS_FOR = "halves.txt"

    @staticmethod
    def recognises(folder):
        return (folder / "halves.txt").is_file()

    @staticmethod
    def read(folder):
        return [
            Sample(path.stem, path.stem, "dent", path, LowerHalf()) if "dent" in path.stem
            else Sample(path.stem, path.stem, "good", path)
            for path in pictures_in(folder)
        ]  # fmt: skip


@dataclass(frozen=True)
class LowerHalf:
    def read(self, shape, image_path, folder=None):
        defect = np.zeros(shape, bool)
        defect[shape[0] // 2 :] = True
        return Truth(defect, (DefectInstance("dent", "defect", defect),))

    def files(self):
        return ()


def test_a_format_is_one_module_and_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "halves_format", Halves)
    monkeypatch.setitem(FORMATS, "halves", "halves_format")
    save(tmp_path / "fine.png", grey())
    save(tmp_path / "dented.png", grey())
    with pytest.raises(SampleError, match=r"halves\.txt \(halves\)"):
        read_samples(tmp_path)
    (tmp_path / "halves.txt").write_text("")
    for format in ("auto", "halves"):
        samples = read_samples(tmp_path, format)
        assert [(s.label, int(s.truth().defect.sum())) for s in samples] == [("dent", 96), ("good", 0)]


def noise(number, shape=(12, 16)):
    return np.random.default_rng(number).integers(0, 255, shape, np.uint8)


@pytest.mark.parametrize("name", ["Good", "GOOD", "ok", "OK", "Okay", "normal", "Normal"])
def test_what_people_call_the_good_class_is_good(tmp_path, name):
    save(tmp_path / f"train/{name}/0.png", noise(0))
    save(tmp_path / f"test/{name}/0.png", noise(1))
    with pytest.warns(BlemishNote, match=f"{name} is taken for the class good"):
        assert [s.label for s in read_samples(tmp_path)] == ["good", "good"]
    shutil.rmtree(tmp_path / "train")
    save(tmp_path / f"ground_truth/{name}/0_mask.png", noise(1) > 200)
    assert [s.label for s in read_samples(tmp_path)] == [name]


def test_hidden_folders_are_no_classes_and_pictures_without_a_class_are_explained(mvtec):
    for place in ("train/.ipynb_checkpoints/0.png", "test/scratch/.ipynb_checkpoints/0.png", "train/good/._000.png"):
        save(mvtec / place, grey())
    assert len(read_samples(mvtec)) == 4
    shutil.rmtree(mvtec / "train/good")
    save(mvtec / "train/000.png", grey())
    with pytest.raises(SampleError, match=r"train: holds pictures and no folder of a class; move .*train/good"):
        read_samples(mvtec)


def test_pictures_of_the_same_bytes_are_one_surface_wherever_they_lie(tmp_path):
    for folder in ("a/bottle", "b/bottle", "c/can"):
        first = 100 * (folder == "b/bottle")
        for k in range(3):
            save(tmp_path / folder / f"test/good/{k}.png", noise(first + k))
    groups = {f: [s.group for s in read_samples(tmp_path / f)] for f in ("a/bottle", "b/bottle", "c/can")}
    assert groups["a/bottle"] == groups["c/can"]
    assert not set(groups["a/bottle"]) & set(groups["b/bottle"])
    rows = [("g1", "good", noise(0), None), ("g2", "good", noise(1), None), ("g2", "good", noise(0), None)]
    folder = real_set(tmp_path, "copies", [*rows, ("g3", "good", noise(3), None)])
    assert [s.group for s in read_samples(folder)] == ["copies/g1", "copies/g1", "copies/g1", "copies/g3"]


def test_several_masks_of_a_picture_are_its_instances(mvtec):
    save(mvtec / "test/logical_anomalies/000.png", noise(0))
    first, second = np.zeros((12, 16), np.uint8), np.zeros((12, 16), np.uint8)
    first[1:4, 1:4], second[3:8, 3:8] = 236, 237
    save(mvtec / "ground_truth/logical_anomalies/000/000.png", first)
    save(mvtec / "ground_truth/logical_anomalies/000/001.png", second)
    sample = next(s for s in read_samples(mvtec) if s.label == "logical_anomalies")
    truth = sample.truth()
    assert truth.areas().tolist() == [9, 25]
    assert truth.defect.sum() == 33


def test_surfaces_of_two_recipes_of_one_name_differ(tmp_path):
    recipe = scenes.load_recipe("plate")
    recipe = recipe.model_copy(update={"camera": recipe.camera.model_copy(update={"resolution": (64, 48)})})
    fields = recipe.model_dump(mode="json")
    fields["finish"]["roughness"] = 0.77
    other = scenes.Recipe.model_validate(fields)
    groups = [
        [s.group for s in read_samples(blemish_dataset(tmp_path / name, one, crack=False))]
        for name, one in (("a", recipe), ("b", other))
    ]
    assert not set(groups[0]) & set(groups[1])


def test_a_good_class_of_another_name_is_told_what_to_be_called(tmp_path):
    for split in ("train", "test"):
        save(tmp_path / f"{split}/nominal/000.png", noise(0))
    with pytest.raises(SampleError, match=r"nominal/000_mask\.png: .* is missing; add it, or call the class good if"):
        read_samples(tmp_path)


@pytest.mark.parametrize("name", ["__MACOSX", ".ipynb_checkpoints", "@eaDir", "$RECYCLE.BIN", "lost+found"])
def test_what_systems_leave_among_pictures_is_passed_over(mvtec, name):
    for place in ("train", "test", "test/scratch", "ground_truth/scratch"):
        save(mvtec / place / name / "000.png", noise(1))
        for left in ("Thumbs.db", "desktop.ini", ".DS_Store", "._000.png"):
            (mvtec / place / left).write_bytes(b"left")
    assert len(read_samples(mvtec)) == 4


def test_pictures_that_are_left_out_are_told(mvtec):
    save(mvtec / "train/loose.png", noise(1))
    with pytest.warns(
        BlemishNote, match=r"train: 1 file beside the folders of classes is left out, such as loose\.png"
    ):
        read_samples(mvtec)
    (mvtec / "train/loose.png").unlink()
    save(mvtec / "train/good/monday/000.png", noise(1))
    with pytest.warns(BlemishNote, match=r"train/good: 1 file in folders of a class is left out, such as monday/000\."):
        assert len(read_samples(mvtec)) == 4
    for path in (mvtec / "train/good").glob("*.png"):
        path.rename(path.parent / "monday" / f"{path.stem}b.png")
    with pytest.raises(SampleError, match=r"train/good: its pictures lie in folders, such as .*monday/000\.png; move"):
        read_samples(mvtec)
    shutil.rmtree(mvtec / "train/good")
    (mvtec / "train/good").mkdir()
    (mvtec / "train/good/a.dng").write_bytes(b"raw")
    with pytest.warns(
        BlemishNote, match=r"train/good: 1 file of none of the kinds \.png, .* is left out, such as a\.dng"
    ):
        read_samples(mvtec)


def test_two_pictures_of_one_name_and_one_picture_of_two_classes_are_told(mvtec):
    shutil.copy(mvtec / "test/scratch/000.png", mvtec / "test/good/copy.png")
    with pytest.warns(
        BlemishNote, match=r"the same picture as test/good/copy, of the class scratch and of good; remove"
    ):
        read_samples(mvtec)
    save(mvtec / "test/scratch/000.jpg", noise(2))
    with pytest.raises(SampleError, match=r"test/scratch/000\.png: has the name of 000\.jpg beside it, and its mask"):
        read_samples(mvtec)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "loop", "nowhere"])
def test_what_is_no_file_is_no_picture(mvtec, kind):
    path = mvtec / "train/good/odd.png"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case _:
            path.symlink_to({"device": "/dev/zero", "loop": "odd.png", "nowhere": "gone.png"}[kind])
    with pytest.raises(BlemishError, match=r"train/good/odd\.png: cannot be read \("):
        read_samples(mvtec)


@pytest.mark.parametrize(
    ("lines", "refused"),
    [
        (["b.png,chip,b-mask.png,", "b.png,good,,"], r"b\.png: is listed 2 times, .*; keep one entry about it"),
        (["b.png,chip,b-mask.png,", "./b.png,chip,b-mask.png,test"], r"b\.png: is listed 2 times"),
        (["a.png,good,,Train"], r"a\.png has the split 'Train'; expected train, validation, test or nothing"),
        (["a.png,,,"], r"a\.png has no label; expected good, unlabelled or its classes"),
        (["b.png,chip,b.png,"], r"names b\.png as its own mask"),
        (["b.png;chip;b-mask.png;"], r"another number of columns"),
    ],
)
def test_lines_of_a_manifest_that_would_mislead_are_refused(tmp_path, lines, refused):
    listed(tmp_path, "image,label,mask,split", lines)
    with pytest.raises(SampleError, match=refused):
        read_samples(tmp_path)


def test_a_manifest_of_semicolons_is_told_what_its_first_line_names(tmp_path):
    listed(tmp_path, "image;label", ["a.png;good"])
    with pytest.raises(SampleError, match=r"lacks the columns image, label; its first line, .* names 'image;label'"):
        read_samples(tmp_path)


def test_an_empty_manifest_is_told_apart_from_one_of_other_columns(tmp_path):
    (tmp_path / "manifest.csv").write_text("")
    with pytest.raises(SampleError, match=r"lacks the columns image, label; .* names nothing"):
        read_samples(tmp_path)


def test_the_mask_of_a_good_picture_has_to_be_empty(tmp_path):
    listed(tmp_path, "image,label,mask", ["a.png,good,empty-mask.png", "b.png,good,b-mask.png"])
    empty, marked = read_samples(tmp_path)
    assert not empty.truth().defect.any()
    with pytest.raises(SampleError, match=r"b-mask\.png: marks a defect, though .*b\.png is labelled good"):
        marked.truth()


def test_the_ground_of_a_mask_can_have_no_class(tmp_path):
    listed(tmp_path, "image,label,mask", ["b.png,chip,b-mask.png"])
    (tmp_path / "manifest.yaml").write_text("mask: {0: chip}\n")
    with pytest.raises(SampleError, match=r"manifest\.yaml: mask.*greater than 0"):
        read_samples(tmp_path)


def test_components_of_a_mask_are_those_of_each_class_in_the_whole_picture():
    rng = np.random.default_rng(4)
    values = np.zeros((90, 70), np.int32)
    values[20:60, 11:50] = rng.choice([0, 0, 0, 1, 2, 5], (40, 39))
    truth = of_components(values, {1: "pit", 5: "dent", None: "other"})
    masks = [values == 1, values == 5, (values > 0) & ~np.isin(values, (1, 5))]
    expected = []
    for name, mask in zip(("pit", "dent", "other"), masks, strict=True):
        numbers, count = ndimage.label(mask, np.ones((3, 3)))
        expected += [(name, numbers == number) for number in range(1, count + 1)]
    found = [(instance.class_name, instance.mask) for instance in truth.instances]
    assert Counter(name for name, _ in found) == Counter(name for name, _ in expected)
    assert {(name, mask.tobytes()) for name, mask in found} == {(name, mask.tobytes()) for name, mask in expected}
    assert np.array_equal(truth.defect, values > 0)
    assert np.array_equal(truth.of_family("defect"), values > 0)
    assert len(of_components(np.zeros((5, 4), np.int32), {1: "pit"}).instances) == 0
