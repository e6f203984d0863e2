import numpy as np
import pytest
from PIL import Image
from skimage.measure import label

from scenes.formats.errors import SampleError
from scenes.formats.sample import Sample
from scenes.formats.truth import EmptyMask, MaskFile, NothingThere, banded_components
from scenes.pictures import on_disk, regions
from scenes.pictures.on_disk import ArrayOnDisk


@pytest.mark.parametrize("rows", [None, 1, 10])
@pytest.mark.parametrize("seed", range(8))
def test_components_are_numbered_as_scikit_image_numbers_them(seed, rows, tmp_path, monkeypatch):
    rng = np.random.default_rng(seed)
    values = rng.choice(4, (37, 53), p=[0.7, 0.1, 0.1, 0.1]).astype([np.uint8, np.uint16, np.int32][seed % 3])
    values[:20, :10] = 0
    stored = values
    if rows is not None:
        monkeypatch.setattr(regions, "BAND", rows * values.shape[1])
        stored = ArrayOnDisk(values.shape, values.dtype, tmp_path)
        stored[:] = values
    banded = banded_components(stored, {1: "crack", 3: "dent", None: "other"})
    assert banded.instances._maps["defect"].shape == values.shape
    assert isinstance(banded.instances._maps["defect"], np.ndarray if rows is None else ArrayOnDisk)
    truth = banded.in_memory()
    assert np.array_equal(banded.areas(), truth.areas())
    assert np.array_equal(banded.union([0, 2], slice(5, 30)), (truth.instances[0].mask | truth.instances[2].mask)[5:30])
    expected = []
    for name, own in (("crack", values == 1), ("dent", values == 3), ("other", values == 2)):
        numbers, count = label(own, connectivity=2, return_num=True)
        expected += [(name, numbers == number) for number in range(1, count + 1)]
    assert len(truth.instances) == len(expected)
    for found, (name, mask) in zip(truth.instances, expected, strict=True):
        assert found.class_name == name
        assert np.array_equal(found.mask, mask)
    assert np.array_equal(truth.defect, values > 0)


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A picture that counts as large, whose mask has three scratches and a dent."""
    monkeypatch.setattr(on_disk, "LARGE", 1)
    monkeypatch.setattr(regions, "BAND", 4 * 40)
    values = np.zeros((30, 40), np.uint8)
    values[2:9, 3:6], values[7:8, 3:30], values[12:26, 20], values[4:6, 35:38], values[28, 1] = 1, 1, 1, 3, 1
    Image.fromarray(values).save(tmp_path / "mask.png")
    Image.fromarray(values * 0).save(tmp_path / "picture.png")
    return values, tmp_path


def test_the_truth_of_a_large_picture_lies_on_a_disk_and_says_the_same(large):
    values, folder = large
    for classes in ({1: "scratch", 3: "dent"}, {None: "flaw"}):
        sample = Sample("a", "a", "scratch", folder / "picture.png", MaskFile(folder / "mask.png", classes))
        truth, banded = sample.truth(), sample.banded_truth(folder)
        assert isinstance(banded.instances._maps["defect"], ArrayOnDisk)
        assert isinstance(truth.defect, np.ndarray)
        assert np.array_equal(truth.defect, values > 0)
        assert np.array_equal(banded.defect[3:17], values[3:17] > 0)
        assert banded.kinds() == truth.kinds()
        assert (
            banded.areas().tolist()
            == truth.areas().tolist()
            == ([45, 14, 1, 6] if len(classes) == 2 else [45, 6, 14, 1])
        )
        for one, other in zip(banded.instances, truth.instances, strict=True):
            assert np.array_equal(one.mask, other.mask)


def test_what_the_mask_of_a_large_picture_should_not_hold_is_told(large):
    _, folder = large
    sample = Sample("a", "a", "scratch", folder / "picture.png", MaskFile(folder / "mask.png", {1: "scratch"}))
    with pytest.raises(SampleError, match=r"mask\.png: holds the value 3; expected 0 and 1 only"):
        sample.banded_truth(folder)
    sample = Sample("a", "a", "good", folder / "picture.png", EmptyMask(folder / "mask.png"))
    with pytest.raises(SampleError, match=r"mask\.png: marks a defect, though .* is labelled good"):
        sample.banded_truth(folder)


@pytest.mark.parametrize("annotation", [NothingThere(), EmptyMask])
def test_of_a_large_good_picture_nothing_is_kept(large, annotation):
    _, folder = large
    if annotation is EmptyMask:
        annotation = EmptyMask(folder / "picture.png")
    truth = Sample("a", "a", "good", folder / "picture.png", annotation).banded_truth(folder)
    assert not isinstance(truth.defect, np.ndarray | ArrayOnDisk)
    assert truth.defect.shape == (30, 40)
    assert truth.defect[28:99].shape == (2, 40)
    assert truth.kinds() == []
    assert not truth.in_memory().defect.any()
