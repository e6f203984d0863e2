"""Crops: their captions against their own masks, the same bytes from the same seed, and what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_refine.training.crops import CropSettings, PicturesError, draw_crops, read_pictures, stands_out
from procgen.errors import BlemishNote
from scenes import Dataset
from scenes.pictures.errors import PictureError

PLAIN = CropSettings(synonym=0, general=0, grey=0, light=0)


def test_a_caption_names_the_crack_where_the_crop_shows_it(renders: Dataset) -> None:
    crops = draw_crops(read_pictures(renders.path), 60, 32, 1, PLAIN)
    for image, mask, told in zip(crops.images, crops.masks, crops.captions, strict=True):
        dark = (image < 50).all(dim=0)
        assert told == f"photo of a {'crack defect on a' if dark.any() else 'good'} ground plate"
        assert (dark == (mask > 0)).float().mean() > 0.9  # but for the edge that scaling blurs
    assert 10 < sum("crack" in told for told in crops.captions) < 50


def test_a_defect_that_differs_in_nothing_from_its_surroundings_does_not_stand_out(renders: Dataset) -> None:
    picture = next(one for one in read_pictures(renders.path) if one.defects)
    assert stands_out(picture)
    assert picture.classes is not None
    rng = np.random.default_rng(0)
    even = rng.normal(128, 5, (*picture.image.shape[:2], 1)).clip(0, 255).astype(np.uint8).repeat(3, axis=2)
    assert not stands_out(replace(picture, image=even))
    assert stands_out(replace(picture, image=even, classes=np.zeros_like(picture.classes)))  # none there to be seen
    assert stands_out(replace(picture, image=even, classes=None))


def test_a_seed_decides_every_crop_whatever_comes_after(renders: Dataset) -> None:
    pictures = read_pictures(renders.path)
    few, more, other = (draw_crops(pictures, count, 32, seed) for count, seed in ((8, 5), (16, 5), (8, 6)))
    assert torch.equal(few.images, more.images[:8])
    assert few.captions == more.captions[:8]
    assert not torch.equal(few.images, other.images)


def test_grey_crops_have_no_colour(renders: Dataset) -> None:
    images = draw_crops(read_pictures(renders.path), 6, 32, 0, CropSettings(grey=1)).images.int()
    assert torch.equal(images[:, 0], images[:, 1])
    assert torch.equal(images[:, 1], images[:, 2])


def test_photographs_take_the_caption_that_is_given(tmp_path: Path) -> None:
    Image.fromarray(np.full((40, 50), 77, np.uint8)).save(tmp_path / "one.png")
    with pytest.raises(PicturesError, match="--caption"):
        read_pictures(tmp_path)
    pictures = read_pictures(tmp_path, "photo of a good ground tile")
    crops = draw_crops(pictures, 3, 32, 0, PLAIN)
    assert crops.captions == ("photo of a good ground tile",) * 3
    assert (crops.images == 77).all()


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(PicturesError, match="no pictures"):
        read_pictures(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(PictureError, match=r"broken\.png"):
        read_pictures(tmp_path, "photo")


def test_photographs_are_read_upright_and_with_one_white_level(tmp_path: Path) -> None:
    deep = np.full((40, 50), 150 * 257 // 16, np.uint16)
    deep[:20] //= 2
    Image.fromarray(deep).save(tmp_path / "deep.png")
    with pytest.warns(BlemishNote, match="white is taken to be 4095"):
        (picture,) = read_pictures(tmp_path, "photo")
    assert picture.image[30, 30].tolist() == [150] * 3
    (tmp_path / "deep.png").unlink()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((40, 50), np.uint8)).save(tmp_path / "turned.jpg", exif=exif)
    assert read_pictures(tmp_path, "photo")[0].image.shape == (50, 40, 3)


def test_of_a_folder_like_mvtec_the_good_training_pictures_are_learnt(tmp_path: Path) -> None:
    for number, name in enumerate(
        ("train/good/0", "train/good/1", "test/good/0", "test/hole/0", "ground_truth/hole/0_mask")
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((40, 50), 10 * number, np.uint8)).save(tmp_path / f"{name}.png")
    with pytest.warns(BlemishNote, match="only its 2 good training pictures"):
        pictures = read_pictures(tmp_path, "photo")
    assert [int(picture.image[0, 0, 0]) for picture in pictures] == [0, 10]
