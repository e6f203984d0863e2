"""Folders of public sets, made up as they lie, against anomalib's own readers of them."""

import numpy as np
import pytest
from PIL import Image

from scenes.formats.errors import SampleError
from scenes.formats.registry import read_samples


def picture(path, seed, shape=(24, 32)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(60, 200, shape, dtype=np.uint8)).save(path)


def mask(path, *boxes, shape=(24, 32), value=255):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.zeros(shape, np.uint8)
    for top, left, bottom, right in boxes:
        values[top:bottom, left:right] = value
    Image.fromarray(values).save(path)
    return values > 0


def test_btad(tmp_path):
    from anomalib.data.datasets.image.btech import make_btech_dataset

    for number in range(3):
        picture(tmp_path / f"train/ok/{number:04d}.bmp", number)
    picture(tmp_path / "test/ok/0000.bmp", 7)
    picture(tmp_path / "test/ko/0001.bmp", 8)
    expected = mask(tmp_path / "ground_truth/ko/0001.png", (2, 3, 6, 9), (12, 12, 14, 20))
    samples = read_samples(tmp_path)
    theirs = make_btech_dataset(tmp_path)
    assert {(str(s.image_path), s.split, s.label != "good") for s in samples} == {
        (row.image_path, row.split, bool(row.label_index)) for row in theirs.itertuples()
    }
    flawed = samples[-1]
    assert flawed.label == "ko"
    assert flawed.truth().defect.tolist() == expected.tolist()
    assert len(flawed.truth().instances) == 2
    picture(tmp_path / "test/ko/0002.bmp", 9)
    with pytest.raises(SampleError, match=r"ground_truth/ko/0002\.png: the mask of test/ko/0002 is missing"):
        read_samples(tmp_path)


def test_kolektorsdd(tmp_path):
    from anomalib.data.datasets.image.kolektor import make_kolektor_dataset

    expected = {}
    for item in ("kos01", "kos02"):
        for part in range(3):
            path = tmp_path / item / f"Part{part}.jpg"
            picture(path, part + (item == "kos02") * 10)
            boxes = [(4, 4, 8, 20)] if part == 1 else []
            expected[str(path)] = mask(path.with_name(f"Part{part}_label.bmp"), *boxes)
    samples = read_samples(tmp_path)
    theirs = {row.image_path: bool(row.label_index) for row in make_kolektor_dataset(tmp_path).itertuples()}
    assert {str(s.image_path): s.label == "defect" for s in samples} == theirs
    assert len({s.group for s in samples}) == 2
    for sample in samples:
        assert sample.truth().defect.tolist() == expected[str(sample.image_path)].tolist()
    (tmp_path / "kos01/Part0_label.bmp").unlink()
    with pytest.raises(SampleError, match=r"Part0_label\.bmp: the mask of kos01/Part0\.jpg is missing"):
        read_samples(tmp_path)


def test_kolektorsdd2(tmp_path):
    for split, number, boxes in (("train", 10, []), ("train", 11, [(1, 1, 4, 9)]), ("test", 12, [(9, 9, 12, 12)])):
        picture(tmp_path / split / f"{number}.png", number)
        mask(tmp_path / split / f"{number}_GT.png", *boxes)
    samples = read_samples(tmp_path)
    assert [(s.name, s.label, s.split) for s in samples] == [
        ("train/10", "good", "train"),
        ("train/11", "defect", "train"),
        ("test/12", "defect", "test"),
    ]
    assert [int(s.truth().defect.sum()) for s in samples] == [0, 24, 9]
    (tmp_path / "test/12_GT.png").unlink()
    with pytest.raises(SampleError, match=r"12_GT\.png: the mask of test/12\.png is missing"):
        read_samples(tmp_path)


def visa(folder):
    for number in range(2):
        picture(folder / f"candle/Data/Images/Normal/{number:04d}.JPG", number)
    picture(folder / "candle/Data/Images/Anomaly/000.JPG", 5)
    picture(folder / "candle/Data/Images/Anomaly/001.JPG", 6)
    mask(folder / "candle/Data/Masks/Anomaly/000.png", (2, 2, 6, 6), value=1)
    mask(folder / "candle/Data/Masks/Anomaly/001.png", (2, 2, 6, 6), (9, 9, 12, 20), value=3)
    rows = [f"candle/Data/Images/Normal/{n:04d}.JPG,normal," for n in range(2)]
    rows += [
        "candle/Data/Images/Anomaly/000.JPG,wax missing,candle/Data/Masks/Anomaly/000.png",
        'candle/Data/Images/Anomaly/001.JPG,"wax missing,bent",candle/Data/Masks/Anomaly/001.png',
    ]
    (folder / "candle/image_anno.csv").write_text("\n".join(["image,label,mask", *rows]) + "\n")
    splits = [f"candle,{'train' if '0000' in row else 'test'},x,{row.split(',')[0]}," for row in rows]
    (folder / "split_csv").mkdir()
    (folder / "split_csv/1cls.csv").write_text("\n".join(["object,split,label,image,mask", *splits]) + "\n")


def test_visa_has_its_classes_and_its_split(tmp_path):
    visa(tmp_path)
    for folder in (tmp_path, tmp_path / "candle"):
        samples = read_samples(folder)
        assert [(s.name, s.label, s.split) for s in samples] == [
            ("Normal/0000", "good", "train"),
            ("Normal/0001", "good", "test"),
            ("Anomaly/000", "wax missing", "test"),
            ("Anomaly/001", "bent+wax missing", "test"),
        ]
        assert [int(s.truth().defect.sum()) for s in samples] == [0, 0, 16, 49]
    (tmp_path / "candle/Data/Masks/Anomaly/001.png").unlink()
    with pytest.raises(SampleError, match=r"Masks/Anomaly/001\.png: the mask of Anomaly/001 is missing"):
        read_samples(tmp_path)
    (tmp_path / "candle/image_anno.csv").write_text("image,labels\n")
    with pytest.raises(SampleError, match=r"image_anno\.csv: lacks the columns label, mask; restore it"):
        read_samples(tmp_path)
    (tmp_path / "capsules/Data/Images/Normal").mkdir(parents=True)
    with pytest.raises(SampleError, match="holds 2 categories, such as candle; give the folder of one"):
        read_samples(tmp_path)
