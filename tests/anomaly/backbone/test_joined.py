import numpy as np
import pytest
import torch

from anomaly.backbone.feature_statistics import procedural_pictures
from anomaly.backbone.joined import JoinedExtractor
from anomaly.backbone.patch_extractor import BackboneError, patch_extractor, same_weights
from anomaly.inspection.inspector import Inspector
from anomaly.inspection.train import train_inspector
from scenes.formats.registry import read_samples
from tests.anomaly.conftest import folder_of_good

NAME = "filters+test_vit@2/16"


def _pictures(height: int, width: int) -> torch.Tensor:
    return torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(1))


def test_parts_stand_side_by_side_on_the_finest_grid():
    joined = patch_extractor(NAME)
    filters, transformer = patch_extractor("filters"), patch_extractor("test_vit@2/16")
    assert isinstance(joined, JoinedExtractor)
    assert joined.backbone == "filters+test_vit@2/16:unit"
    assert joined.weights == f"{filters.weights} + untrained, seed 0"
    assert (joined.channels, joined.strides) == (filters.channels + 64, (8,))
    images = _pictures(72, 104)
    found = joined(images)
    assert found.shape == (1, joined.channels, 9, 13)
    first, second = joined.scales.tolist()
    torch.testing.assert_close(found[:, : filters.channels] * first, filters(images))
    # A cell of the finer grid whose centre lies a quarter cell inside a coarse one mixes 9:3:3:1.
    coarse = transformer(images)
    expected = (9 * coarse[..., 1, 1] + 3 * coarse[..., 0, 1] + 3 * coarse[..., 1, 0] + coarse[..., 0, 0]) / 16
    torch.testing.assert_close(found[:, filters.channels :, 2, 2] * second, expected, atol=1e-5, rtol=1e-4)


def test_good_patches_of_every_part_lie_equally_far_from_each_other():
    joined = JoinedExtractor("filters+test_vit@2/8")
    parts = {"filters": slice(0, 48), "test_vit": slice(48, None)}
    for channels in parts.values():
        squares = []
        for images in procedural_pictures():
            one, other = joined(images)[:, channels].flatten(2).transpose(1, 2).numpy()
            squares += [((row - other) ** 2).sum(axis=1).min() for row in one]
        assert np.mean(squares) ** 0.5 == pytest.approx(1, abs=0.06)  # scales are kept at two digits


def test_an_inspector_with_joined_backbones_is_read_back(tmp_path):
    root = folder_of_good(tmp_path / "pictures", (110, 130), 3)
    trained = train_inspector(read_samples(root), tmp_path / "a", backbone=NAME, size=30)
    again = Inspector.load(tmp_path / "a")
    assert same_weights(trained.model.extractor, again.model.extractor)
    image = np.full((40, 50, 3), 90, np.uint8)
    np.testing.assert_array_equal(trained.predict(image)[0], again.predict(image)[0])


def test_what_cannot_be_joined_is_refused(tmp_path):
    with pytest.raises(BackboneError, match="cannot serve several backbones"):
        patch_extractor(NAME, weights=tmp_path / "a.safetensors")
    with pytest.raises(BackboneError, match="nowhere is no timm model"):
        patch_extractor("embedded+nowhere")
    with pytest.raises(BackboneError, match=" is no timm model"):
        patch_extractor("embedded+")
