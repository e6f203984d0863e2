"""CRG's networks: they learn, end in the same bytes after any stop, and what they learn from is what it should be."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from diffusion_refine.core.models import ModelError
from diffusion_refine.synthesis.crg.boxes import Box, around, box_of, cut, zoom_of
from diffusion_refine.synthesis.crg.model import CONTEXT, PRIOR, load_crg
from diffusion_refine.synthesis.crg.networks import DenoiserShape, Prior
from diffusion_refine.synthesis.crg.schedule import trained_alpha_bars
from diffusion_refine.synthesis.crg.training.denoisers import CrgTrainingSettings, train_context, train_prior
from diffusion_refine.synthesis.crg.training.patches import (
    BoxedPicture,
    draw_crops,
    draw_patches,
    read_boxed,
    read_good,
)
from diffusion_refine.training.crops import CropSettings, PicturesError
from scenes.jobs.checkpoints import CheckpointError
from tests.diffusion_refine.synthesis.labelled_sets import mvtec_set, saved, surface

TINY = CrgTrainingSettings(DenoiserShape(32, (8, 16)), steps=6, batch=2, patches=8, every=2, crop=16)
FEW = replace(TINY, steps=1, every=1)
TINY_PRIOR = replace(TINY, shape=DenoiserShape(16, (8, 16), attention=1))
FEW_PRIOR = replace(TINY_PRIOR, steps=1, every=1)
PLAIN = CropSettings(near=1.0, far=1.0, grey=0.0, light=0.0, turns=False)


class Stopped(Exception):
    """What an interruption is here."""


def good(count: int = 2, side: int = 48) -> list[np.ndarray]:
    return [np.rint(surface(number, (side, side, 3)) * 255).astype(np.uint8) for number in range(count)]


def spotted(side: int = 48) -> list[BoxedPicture]:
    """Grey pictures with a dark square in the middle, or a bright bar at the left rim; of the latter there are more."""
    found = []
    for number in range(4):
        image = np.full((side, side, 3), 128, np.uint8)
        mask = np.zeros((side, side), bool)
        kind = "spot" if number == 0 else "bar"
        mask[(slice(20, 28), slice(20, 28)) if kind == "spot" else (slice(22, 26), slice(0, 12))] = True
        image[mask] = 20 if kind == "spot" else 230
        found.append(BoxedPicture(image, (box_of(mask, kind),)))
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_square_round_a_box_stays_in_its_picture_and_mirrors_what_is_not_there() -> None:
    pixels = np.arange(20 * 30).reshape(20, 30)
    assert around(Box("a", 10.0, 15.0, 4, 4), 8, pixels.shape).top == 6
    for row, column, top, left in ((0, 0, 0, 0), (19.5, 29, 12, 22), (3, 15, 0, 11)):
        square = around(Box("a", row, column, 2, 2), 8, pixels.shape)
        assert (square.top, square.left) == (top, left)
        assert np.array_equal(cut(pixels, square), pixels[top : top + 8, left : left + 8])
    wide = around(Box("a", 10, 15, 2, 2), 64, pixels.shape)
    assert np.array_equal(cut(pixels, wide)[:40, :30], np.vstack([pixels, pixels[::-1]]))


def test_large_boxes_are_seen_from_farther_away() -> None:
    assert zoom_of(Box("a", 0, 0, 24, 3), 32) == 1.0
    assert zoom_of(Box("a", 0, 0, 3, 48), 32) == 2.0
    mask = np.zeros((30, 30), bool)
    mask[4:7, 10:21] = True
    assert box_of(mask, "a") == Box("a", 5.5, 15.5, 3, 11)


def test_patches_show_their_boxes_in_the_middle_of_every_class_as_many() -> None:
    patches = draw_patches(spotted(), 12, 16, seed=3, style=PLAIN)
    assert patches.label_names == ("bar", "spot")
    assert patches.labels.bincount().tolist() == [6, 6]
    for image, label in zip(patches.images, patches.labels.tolist(), strict=True):
        if label:
            assert image[:, 4:12, 4:12].max() == 20
            assert image[:, :4].min() == 128
        else:
            assert image[:, 6:10, :12].min() == 230  # the window was moved to the rim
    again = draw_patches(spotted(), 12, 16, seed=3)
    assert torch.equal(again.images, draw_patches(spotted(), 12, 16, seed=3).images)


def test_crops_are_pieces_of_good_pictures() -> None:
    pictures = good()
    crops = draw_crops(pictures, 6, 16, seed=1, style=PLAIN)
    for number, crop in enumerate(crops.images.permute(0, 2, 3, 1).numpy()):
        windows = np.lib.stride_tricks.sliding_window_view(pictures[number % 2], (16, 16, 3))[..., 0, :, :, :]
        assert (windows == crop).all(axis=(2, 3, 4)).any()


def test_what_is_read_is_good_for_the_context_and_flawed_for_the_prior(tmp_path: Path) -> None:
    folder = mvtec_set(tmp_path / "tiles")
    assert len(read_good([folder])) == 3
    photograph = saved(tmp_path / "photos" / "one.png", surface(4, (60, 70)))
    assert len(read_good([photograph])) == len(read_good([photograph.parent])) == 1
    boxes = sorted((box.class_name, box.row, box.height) for picture in read_boxed(folder) for box in picture.boxes)
    assert boxes == [("pit", 20.5, 13), ("pit", 40.5, 19), ("spot", 30.5, 9)]
    for split in ("train", "test"):
        for path in (folder / split / "good").iterdir():
            path.unlink()
        (folder / split / "good").rmdir()
    with pytest.raises(PicturesError, match="no good picture"):
        read_good([folder])


def test_boxes_without_masks_suffice(tmp_path: Path) -> None:
    """Of a set laid out for YOLO: centre, width and height in shares of 60 by 40 pixels."""
    saved(tmp_path / "images" / "train" / "a.png", surface(1, (40, 60)))
    (tmp_path / "labels" / "train").mkdir(parents=True)
    (tmp_path / "labels" / "train" / "a.txt").write_text("0 0.5 0.25 0.2 0.1\n")
    (tmp_path / "data.yaml").write_text("names: [spot]\ntrain: images/train\n")
    (picture,) = read_boxed(tmp_path)
    assert picture.boxes == (Box("spot", 10, 30, 4, 12),)


@pytest.mark.parametrize("half", ["context", "prior"])
def test_a_stopped_training_ends_in_the_same_bytes(tmp_path: Path, half: str) -> None:
    def train(out: Path, stop_at: int | None = None) -> None:
        def report(what: str, done: int, total: int) -> None:
            if what == "training" and done == stop_at:
                raise Stopped

        if half == "context":
            train_context(good(), out, TINY, "cpu", report)
        else:
            train_prior(spotted(), out, TINY_PRIOR, "cpu", report)

    train(tmp_path / "whole")
    with pytest.raises(Stopped):
        train(tmp_path / "stopped", 5)
    train(tmp_path / "stopped")
    whole, stopped = contents(tmp_path / "whole"), contents(tmp_path / "stopped")
    assert whole.keys() == stopped.keys()
    assert all(whole[name] == stopped[name] for name in whole if not name.endswith(".pt"))


def test_a_model_needs_both_halves_whole_and_fitting(tmp_path: Path) -> None:
    train_context(good(), tmp_path, FEW, "cpu")
    with pytest.raises(ModelError, match="train-generator crg-prior"):
        load_crg(tmp_path)
    train_prior(spotted(), tmp_path, FEW_PRIOR, "cpu")
    model = load_crg(tmp_path, "cpu")
    assert (model.size, model.window, model.labels) == (32, 16, ("bar", "spot"))
    for path in (CONTEXT.weights_in(tmp_path), PRIOR.record_in(tmp_path)):
        content = path.read_bytes()
        path.write_bytes(content[:-9] + b"0" + content[-8:])
        with pytest.raises(ModelError, match=path.name):
            load_crg(tmp_path)
        path.write_bytes(content)
    large = replace(FEW_PRIOR, shape=replace(FEW_PRIOR.shape, size=64), crop=16)
    train_prior(spotted(), tmp_path / "large", large, "cpu")
    train_context(good(), tmp_path / "large", FEW, "cpu")
    with pytest.raises(ModelError, match="smaller --size"):
        load_crg(tmp_path / "large")


def test_a_training_goes_on_from_another_model_and_knows_its_classes_by_name(tmp_path: Path) -> None:
    start = tmp_path / "start"
    train_context(good(), start, FEW, "cpu")
    train_prior(spotted(), start, FEW_PRIOR, "cpu")
    still = {"start": start, "steps": 1, "rate": 0.0}  # one step that moves nothing
    out = tmp_path / "out"
    train_context(good(), out, replace(FEW, **still), "cpu")
    spots = [BoxedPicture(one.image, tuple(replace(box, class_name="spot") for box in one.boxes)) for one in spotted()]
    others = [BoxedPicture(one.image, tuple(replace(box, class_name="hole") for box in one.boxes)) for one in spotted()]
    train_prior([*spots, *others], out, replace(FEW_PRIOR, **still), "cpu")
    before, after = load_crg(start, "cpu"), load_crg(out, "cpu")
    for name, value in before.context.state_dict().items():
        torch.testing.assert_close(after.context.state_dict()[name], value)
    (before_rows, rows) = (model.prior.class_embedding.weight for model in (before, after))
    assert (before.labels, after.labels) == (("bar", "spot"), ("hole", "spot"))
    torch.testing.assert_close(rows[1], before_rows[1])
    torch.testing.assert_close(rows[0], before_rows.mean(dim=0), atol=1e-3, rtol=1e-3)
    assert after.training["prior"]["start"] == before.sha256["prior"]
    assert str(tmp_path) not in "".join(path.read_text() for path in out.glob("*.json"))
    other = replace(FEW_PRIOR, shape=replace(FEW_PRIOR.shape, size=32), start=start)
    with pytest.raises(ModelError, match="another --size"):
        train_prior(spotted(), tmp_path / "other", other, "cpu")
    with pytest.raises(CheckpointError, match="start"):
        train_context(good(), out, replace(FEW, steps=1, rate=0.0), "cpu")


def test_a_small_prior_learns_to_see_what_it_is_asked_for(tmp_path: Path) -> None:
    """In noised grey: dark in the middle where a spot is asked for, not so where a bar is."""
    settings = replace(TINY_PRIOR, steps=100, batch=8, patches=64, every=100, rate=6e-3, average=0.9)
    train_prior(spotted(), tmp_path, settings, "cpu")
    train_context(good(), tmp_path, FEW, "cpu")
    prior = Prior(load_crg(tmp_path, "cpu").prior)
    timestep, level = 500, float(trained_alpha_bars()[500])
    noisy = (1 - level) ** 0.5 * torch.randn((16, 3, 16, 16), generator=torch.Generator().manual_seed(0))
    means = []
    for label in (0, 1):
        epsilon = prior(noisy, timestep, torch.full((16,), label))
        clean = (noisy - (1 - level) ** 0.5 * epsilon) / level**0.5
        means.append(float(clean[:, :, 5:11, 5:11].mean()))
    assert means[1] < means[0] - 0.2
