import pytest
import torch

from anomaly.backbone.derivative_filters import DerivativeFilters
from anomaly.patchcore.torch_model import SequentialPatchcoreModel
from benchmarks.views import Mirrored, Pyramid, WithoutBorder

IMAGES = torch.rand(1, 3, 72, 104, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def model() -> SequentialPatchcoreModel:
    model = SequentialPatchcoreModel(DerivativeFilters(), 20)
    model.update(torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(4)))
    return model


def test_a_pyramid_of_one_level_is_its_level_and_of_two_their_mean(model):
    plain = model.anomaly_maps(IMAGES)
    torch.testing.assert_close(Pyramid({1.0: model}).anomaly_maps(IMAGES), plain)
    half = Pyramid({0.5: model}).anomaly_maps(IMAGES)
    assert half.shape == plain.shape
    torch.testing.assert_close(Pyramid({1.0: model, 0.5: model}).anomaly_maps(IMAGES), (plain + half) / 2)


def test_left_out_borders_are_0_and_the_rest_stays(model):
    plain, inside = model.anomaly_maps(IMAGES), WithoutBorder(model, 8).anomaly_maps(IMAGES)
    assert torch.equal(inside[..., 8:-8, 8:-8], plain[..., 8:-8, 8:-8])
    assert float(inside.sum()) == pytest.approx(float(plain[..., 8:-8, 8:-8].sum()), rel=1e-5)


def test_mirrored_features_differ_near_the_borders_alone():
    plain, mirrored = DerivativeFilters()(IMAGES), Mirrored(DerivativeFilters())(IMAGES)
    assert mirrored.shape == plain.shape
    torch.testing.assert_close(mirrored[..., 4:-4, 4:-4], plain[..., 4:-4, 4:-4], rtol=1e-3, atol=1e-4)
    assert not torch.equal(mirrored, plain)
