import numpy as np
import pytest
import torch

from anomaly.backbone.feature_statistics import procedural_pictures
from anomaly.backbone.patch_extractor import BackboneError, patch_extractor, same_weights
from anomaly.inspection.inspector import Inspector, InspectorError
from anomaly.inspection.maintenance import melded
from anomaly.inspection.train import train_inspector
from scenes.formats.registry import read_samples
from tests.anomaly.conftest import folder_of_good


@pytest.mark.parametrize(
    "name", ["embedded", "filters", "untrained", "resnet18", "mobilenetv3_small_100", "test_vit@3"]
)
def test_channels_have_one_deviation_on_procedural_pictures_and_it_travels(name):
    scaled = patch_extractor(f"{name}:scaled")
    assert scaled.backbone.endswith(":scaled")
    rows = torch.cat(
        [scaled(images).permute(0, 2, 3, 1).reshape(-1, scaled.channels) for images in procedural_pictures()]
    )
    deviations = rows.std(dim=0).numpy()
    # They are kept at two digits; a channel that nothing excites stays at 0.
    assert (np.isclose(deviations, 1, atol=0.06) | (deviations == 0)).all()
    assert (deviations > 0).mean() > 0.9
    other = patch_extractor(f"{name}:scaled", seed=1)
    other.load_weights(scaled.weight_tensors())
    images = torch.rand(1, 3, 40, 56, generator=torch.Generator().manual_seed(1))
    assert same_weights(scaled, other)
    assert torch.equal(scaled(images), other(images))


def test_scaled_features_are_the_backbones_own_divided_by_the_deviations():
    scaled, plain = patch_extractor("embedded:scaled"), patch_extractor("embedded")
    images = torch.rand(1, 3, 40, 56, generator=torch.Generator().manual_seed(1))
    expected = plain(images) / scaled.weight_tensors()["deviation"][:, None, None]
    assert torch.equal(scaled(images), expected)
    assert (scaled.strides, scaled.channels, scaled.weights) == (plain.strides, plain.channels, plain.weights)


def test_a_bank_of_scaled_features_is_read_back_and_refuses_plain_ones(tmp_path):
    samples = read_samples(folder_of_good(tmp_path / "pictures", (110, 130), 3))
    scaled = train_inspector(samples, tmp_path / "a", backbone="filters:scaled", size=30)
    plain = train_inspector(samples, tmp_path / "b", backbone="filters", size=30)
    again = Inspector.load(tmp_path / "a")
    image = np.full((40, 50, 3), 90, np.uint8)
    np.testing.assert_array_equal(scaled.predict(image)[0], again.predict(image)[0])
    assert again.training.backbone == "filters:scaled"
    with pytest.raises(InspectorError, match="inspector 2 has another backbone"):
        melded([scaled, plain])
    with pytest.raises(ValueError, match="expected 48 deviations, found"):
        scaled.model.extractor.load_weights({"deviation": torch.ones(3)})


def test_only_a_known_backbone_is_scaled():
    with pytest.raises(BackboneError, match="resnet19 is no timm model"):
        patch_extractor("resnet19:scaled")
    with pytest.raises(BackboneError, match=r"give resnet18 or resnet18:scaled"):
        patch_extractor("resnet18@3:scaled")
