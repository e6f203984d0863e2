import subprocess
import sys
import weakref
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch.nn import functional

from anomaly.backbone.normalisation import normalised
from anomaly.backbone.patch_extractor import patch_extractor
from anomaly.inspection.computing import Computing
from anomaly.inspection.inspector import BANK_FILE, Inspector, InspectorError, TrainingRecord, read_tensors
from anomaly.inspection.maintenance import looking_at, melded
from anomaly.inspection.predicting import predict_samples
from anomaly.inspection.tiles import (
    ALIGNED,
    LARGEST_WHOLE,
    OVERLAP,
    TILE,
    scaled_mask_part,
    scaled_part,
    scaled_size,
    tiles_of,
)
from anomaly.inspection.train import train_inspector
from anomaly.patchcore.torch_model import SequentialPatchcoreModel
from benchmarks import tiles
from scenes.formats.registry import read_samples


def surface(height, width, seed):
    """(H, W, 3) a smooth grey texture with noise."""
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.standard_normal((height, width)), 3)
    grey = 120 + 400 * smooth + rng.normal(0, 4, (height, width))
    return np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def inspector_of(backbone, scale=1.0, size=100):
    """An inspector whose bank holds patches of a small surface; seeded weights see well enough for comparing maps."""
    extractor = patch_extractor(backbone, seed=3)
    record = TrainingRecord(extractor.backbone, False, "", size, 1, scale, 0, (), (), "")
    inspector = Inspector(SequentialPatchcoreModel(extractor, size), record)
    inspector.model.update_features(inspector.features(surface(160, 160, 1)))
    return inspector


@pytest.mark.parametrize("size", [(3000, 2500), (10_000, 10_000), (700, 9000), (2561, 2560), (640, 641)])
@pytest.mark.parametrize("side", [None, 512, 640, 1000])
def test_what_tiles_keep_parts_the_picture_and_what_they_see_reaches_beyond(size, side):
    parts = tiles_of(size, side)
    kept = np.zeros([-(-length // 16) for length in size], int)
    for tile in parts:
        (rows, columns), within = tile.cells(16)
        kept[rows, columns] += 1
        for length, seen, own, inside in zip(size, tile.seen, tile.kept, within, strict=True):
            assert seen.start == max(0, own.start - OVERLAP) or len(parts) == 1 or seen == slice(0, length)
            assert seen.stop == min(length, own.stop + OVERLAP) or seen == slice(0, length)
            assert seen.start % ALIGNED == 0
            assert seen.stop - seen.start <= (side or TILE) or len(parts) == 1
            assert inside.stop <= -(-(seen.stop - seen.start) // 16)
    assert (kept == 1).all()


def test_pictures_of_five_million_pixels_are_looked_at_in_one_piece_by_default():
    assert len(tiles_of((2050, 2448))) == 1
    assert LARGEST_WHOLE > 2050 * 2448
    assert len(tiles_of((4000, 4000))) == 25


@pytest.mark.parametrize("scale", [1.0, 0.37, 0.9, 1.5])
def test_parts_are_scaled_as_torch_scales_the_whole(scale):
    image = np.random.default_rng(0).integers(0, 256, (611, 437, 3), np.uint8)
    size = scaled_size(image.shape, scale)
    whole = normalised(image, scale)
    for part in ((slice(0, 100), slice(32, size[1])), (slice(96, size[0]), slice(0, 64))):
        torch.testing.assert_close(scaled_part(image, size, part), whole[..., *part], rtol=0, atol=1e-3)


@pytest.mark.parametrize("scale", [1.0, 0.37, 0.9, 1.5])
def test_masks_are_scaled_as_torch_scales_the_whole(scale):
    mask = np.random.default_rng(0).random((611, 437)) < 0.5
    size = scaled_size(mask.shape, scale)
    whole = functional.interpolate(torch.from_numpy(mask)[None, None].float(), size, mode="nearest")[0] > 0
    part = (slice(5, size[0] - 3), slice(64, size[1]))
    assert torch.equal(scaled_mask_part(mask, size, part), whole[:, *part])


@pytest.mark.parametrize(
    ("backbone", "scale", "shape", "tiles"),
    [
        ("filters", 1.0, (660, 650), 9),
        ("filters", 0.8, (900, 400), 3),
        ("tf_efficientnet_lite0", 1.0, (660, 320), 3),
    ],
)
def test_convolutions_give_the_map_of_one_piece_in_tiles_too(backbone, scale, shape, tiles):
    inspector = inspector_of(backbone, scale)
    image, valid_mask = surface(*shape, 2), np.ones(shape, bool)
    image[250:260, 200:300] = 255
    valid_mask[400:, :300] = False
    whole, score = inspector.predict(image, valid_mask)
    tiled, tiled_score = inspector.on(Computing(tile=640)).predict(image, valid_mask)
    assert len(tiles_of(scaled_size(image.shape, scale), 640)) == tiles
    np.testing.assert_allclose(tiled, whole, rtol=1e-3, atol=1e-4 * score)
    assert tiled_score == pytest.approx(score, rel=1e-4)
    assert (tiled[400:, :300] == 0).all()


def test_the_bank_grows_from_every_patch_of_a_picture_in_tiles_once():
    inspector, image = inspector_of("filters"), surface(660, 300, 2)
    whole, tiled = inspector.features(image), inspector.on(Computing(tile=640)).features(image)
    assert whole.shape == tiled.shape
    lengths = [features.double().norm(dim=1).sort().values for features in (whole, tiled)]
    torch.testing.assert_close(lengths[1], lengths[0], rtol=1e-5, atol=0)


BEYOND_PICTURE_AND_MAP = """
import resource, sys
import numpy as np
sys.path.insert(0, {folder!r})
from test_tiles import inspector_of
import torch
torch.set_num_threads(1)
inspector = inspector_of("embedded")
inspector.predict(np.zeros((256, 256, 3), np.uint8))
side = {side}
image = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
room = now + 4 * side * side + ({room} << 20)
resource.setrlimit(resource.RLIMIT_AS, (room, room))
print(inspector.predict(image)[0].shape)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for limits")
@pytest.mark.parametrize("side", [2800, 4000])
def test_a_large_picture_takes_no_more_memory_than_a_smaller_one_beside_itself_and_its_map(side, request):
    program = BEYOND_PICTURE_AND_MAP.format(folder=str(request.path.parent), side=side, room=700)
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.strip() == f"({side}, {side})"


@dataclass
class Watched:
    """A picture that may be read only when those before it have been let go."""

    before: list[weakref.ref]
    valid: bool = False

    def picture(self, scratch):
        assert not any(reference() is not None for reference in self.before)
        image = surface(64, 80, len(self.before))
        self.before.append(weakref.ref(image))
        return image, np.ones((64, 80), bool) if self.valid else None


@pytest.mark.parametrize("tile", [None, 512])
def test_no_more_than_one_picture_is_in_memory_at_a_time(tile):
    inspector, before, maps = inspector_of("filters").on(Computing(tile=tile)), [], []

    def take(position, prediction):
        assert not any(reference() is not None for reference in maps)
        maps.append(weakref.ref(prediction[1]))

    predict_samples(inspector, [Watched(before), Watched(before, valid=True), Watched(before)], take)
    assert len(before) == len(maps) == 3


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the peak of memory")
def test_an_evaluation_takes_at_most_18_bytes_for_each_more_pixel_of_its_pictures():
    taken = [tiles.evaluation("filters", side)["bytes a pixel"] * side**2 for side in (1000, 3000)]
    assert taken[1] - taken[0] < 18 * (3000**2 - 1000**2)


@pytest.fixture(scope="module")
def tiled(tmp_path_factory):
    """A folder of one good picture, and an inspector trained on it in tiles."""
    root = tmp_path_factory.mktemp("tiled")
    (root / "photos" / "train" / "good").mkdir(parents=True)
    Image.fromarray(surface(620, 600, 1)).save(root / "photos" / "train" / "good" / "0.png")
    samples = read_samples(root / "photos")
    train_inspector(samples, root / "tiled", **SETTINGS, computing=Computing(tile=512))
    train_inspector(samples, root / "whole", **SETTINGS)
    return root


SETTINGS = {"backbone": "untrained", "seed": 3, "size": 60, "epochs": 1}


def test_an_inspector_looks_at_pictures_in_the_tiles_that_it_was_trained_in(tiled):
    inspector, image = Inspector.load(tiled / "tiled"), surface(620, 600, 2)
    assert inspector.training.tile == inspector.tile == 512
    in_tiles, in_one_piece = (inspector.on(Computing(tile=side)).predict(image)[0] for side in (512, 5000))
    assert not np.array_equal(in_tiles, in_one_piece)  # squeeze-and-excitation sees other averages
    for on in (inspector, inspector.on(Computing(batch=2)), looking_at(inspector, None)):
        np.testing.assert_array_equal(on.predict(image)[0], in_tiles)


def test_one_without_tiles_of_its_own_is_written_as_before(tiled):
    assert read_tensors(tiled / "whole" / BANK_FILE)[1].keys().isdisjoint({"tile"})
    assert b'schema\\": 7' in (tiled / "tiled" / BANK_FILE).read_bytes()
    assert b'schema\\": 1' in (tiled / "whole" / BANK_FILE).read_bytes()
    assert Inspector.load(tiled / "whole").tile is None


def test_other_tiles_are_other_settings_and_other_features(tiled, tmp_path):
    samples = read_samples(tiled / "photos")
    with pytest.raises(InspectorError, match=r"tile \(512 there, None asked for\) differ"):
        train_inspector(samples, tiled / "tiled", **SETTINGS)
    tuned = train_inspector(samples, tmp_path / "tuned", start=tiled / "tiled")
    assert tuned.training.tile == 512
    with pytest.raises(InspectorError, match="keeps its backbone, its scale and its tiles"):
        train_inspector(samples, tmp_path / "other", start=tiled / "tiled", computing=Computing(tile=640))
    with pytest.raises(InspectorError, match="in one piece or tiles of the usual size and the first in tiles of 512"):
        melded([Inspector.load(tiled / name) for name in ("tiled", "whole")])
    assert melded([Inspector.load(tiled / "tiled"), tuned]).training.tile == 512
