"""The seam of backbones: one file and one line, and everything that sees pictures works with it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from anomaly.backbone import patch_extractor as registry
from anomaly.backbone.derivative_filters import DerivativeFilters
from anomaly.backbone.patch_extractor import BackboneError, PatchExtractor, patch_extractor, same_weights
from anomaly.inspection.evaluate import evaluate_inspector
from anomaly.inspection.inspector import Inspector, InspectorError
from anomaly.inspection.maintenance import melded
from anomaly.inspection.train import train_inspector
from anomaly.studies.anomaly.evaluation import FeatureCache
from scenes.formats.registry import read_samples
from tests.anomaly.conftest import folder_of_good

NEW_BACKBONE = '''
import torch
from torch import nn
from torch.nn import functional


class CellMeans(nn.Module):
    """Mean and deviation of each colour in cells of 4 pixels, weighed by a vector drawn from the seed."""

    def __init__(self, backbone, *, pretrained=False, weights=None, seed=0):
        super().__init__()
        self.backbone, self.weights, self.pretrained = backbone, f"colours weighed by seed {seed}", False
        self.channels, self.strides = 6, (4,)
        self.scales = 1 + torch.rand(6, generator=torch.Generator().manual_seed(seed))

    def weight_tensors(self):
        return {"scales": self.scales}

    def load_weights(self, tensors):
        if tensors["scales"].shape != (6,):
            raise ValueError("expected 6 scales")
        self.scales = tensors["scales"]

    def forward(self, images):
        padded = functional.pad(images, (0, -images.shape[-1] % 4, 0, -images.shape[-2] % 4), mode="replicate")
        mean, square = functional.avg_pool2d(padded, 4), functional.avg_pool2d(padded**2, 4)
        return torch.cat([mean, (square - mean**2).clamp_min(0).sqrt()], dim=1) * self.scales[:, None, None]
'''


@pytest.fixture
def new_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "cell_means.py").write_text(NEW_BACKBONE)  # one file
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(registry.BACKBONES, "cells", "cell_means:CellMeans")  # and one line
    return "cells"


def test_a_backbone_from_outside_trains_evaluates_melds_and_is_read_back(new_backbone, tmp_path):
    root = folder_of_good(tmp_path / "pictures", (110, 120, 130), 1)
    inspector = train_inspector(read_samples(root), tmp_path / "a", backbone=new_backbone, size=40, seed=5)
    assert inspector.model.memory_bank.shape == (40, 6)
    again = Inspector.load(tmp_path / "a")
    assert again.training.weights == "colours weighed by seed 5"
    assert same_weights(again.model.extractor, inspector.model.extractor)
    image = np.full((40, 50, 3), 120, np.uint8)
    image[8:16, 20:28] = 255
    maps = [one.predict(image)[0] for one in (inspector, again)]
    np.testing.assert_array_equal(*maps)
    assert np.unravel_index(maps[0].argmax(), maps[0].shape)[0] in range(8, 16)
    others = read_samples(folder_of_good(tmp_path / "others", (125,), 2))
    samples = [replace(sample, split="test") for sample in others]
    record = evaluate_inspector(again, samples, samples, tmp_path / "b")
    assert (record.inspector.backbone, record.inspector.feature_size) == ("cells", 6)
    other = train_inspector(read_samples(root), tmp_path / "c", backbone=new_backbone, size=40, seed=6)
    with pytest.raises(InspectorError, match="inspector 2 has another backbone"):
        melded([inspector, other])
    assert melded([inspector, again]).model.memory_bank.shape == (40, 6)


def test_backbones_are_imported_when_they_are_asked_for(new_backbone, monkeypatch):
    monkeypatch.setitem(registry.BACKBONES, "nowhere", "no_such_module:Extractor")
    assert patch_extractor(new_backbone).channels == 6
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        patch_extractor("nowhere")
    with pytest.raises(BackboneError, match="cellz is no timm model"):
        patch_extractor("cellz")


def test_an_inspector_sees_with_derivative_filters(tmp_path):
    root = folder_of_good(tmp_path / "pictures", (110, 130), 3)
    trained = train_inspector(read_samples(root), tmp_path / "a", backbone="filters", size=30)
    again = Inspector.load(tmp_path / "a")
    assert isinstance(again.model.extractor, DerivativeFilters)
    assert torch.equal(again.model.memory_bank, trained.model.memory_bank)
    with pytest.raises(BackboneError, match="has no weights to load"):
        patch_extractor("filters", pretrained=True)
    with pytest.raises(ValueError, match="has no weights, 1 tensors given"):
        again.model.extractor.load_weights({"a": torch.zeros(1)})


def test_a_cache_of_features_sees_what_its_backbone_sees_and_sees_it_once():
    calls = []

    class Counting(DerivativeFilters):
        def forward(self, images):
            calls.append(images)
            return super().forward(images)

    backbone = Counting()
    cache: PatchExtractor = FeatureCache(backbone)
    images = torch.rand(2, 3, 24, 40, generator=torch.Generator().manual_seed(1))
    assert torch.equal(cache(images), DerivativeFilters()(images))
    assert torch.equal(cache(images), cache(images.clone()))
    assert len(calls) == 1
    assert (cache.backbone, cache.channels, cache.strides) == ("filters", backbone.channels, backbone.strides)
    assert same_weights(cache, backbone)
    small = FeatureCache(backbone, limit=1)
    assert torch.equal(small(images), small(images))
    assert len(calls) == 3
