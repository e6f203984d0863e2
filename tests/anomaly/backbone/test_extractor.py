import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch.nn import functional

from anomaly.backbone.extractor import FeatureExtractor
from anomaly.backbone.normalisation import IMAGENET_DEVIATION, IMAGENET_MEAN, normalised, patches
from anomaly.backbone.patch_extractor import BackboneError


def test_features_are_the_pooled_stages_of_strides_8_and_16():
    extractor = FeatureExtractor(seed=3)
    whole = timm.create_model("mobilenetv3_large_100", features_only=True).eval()
    assert not whole.load_state_dict(extractor.network.state_dict(), strict=False).unexpected_keys
    images = torch.randn(2, 3, 48, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        shallow, deep = (whole(images)[stage].numpy() for stage in (2, 3))
        ours = extractor(images).numpy()

    def pooled(maps):
        maps = np.pad(maps, ((0, 0), (0, 0), (0, 1), (0, 1)), mode="edge")
        return (maps[..., :-1, :-1] + maps[..., 1:, :-1] + maps[..., :-1, 1:] + maps[..., 1:, 1:]) / 4

    assert ours.shape == (2, 152, 6, 8)
    np.testing.assert_allclose(ours[:, :40], pooled(shallow), rtol=1e-4, atol=1e-6)
    # A cell of the finer grid whose centre lies a quarter cell inside a coarse one mixes 9:3:3:1.
    coarse = pooled(deep)
    expected = (9 * coarse[..., 1, 1] + 3 * coarse[..., 0, 1] + 3 * coarse[..., 1, 0] + coarse[..., 0, 0]) / 16
    np.testing.assert_allclose(ours[:, 40:, 2, 2], expected, rtol=1e-4, atol=1e-6)


def test_images_of_any_size_give_one_patch_for_every_8_pixels_begun():
    extractor = FeatureExtractor()
    for height, width in ((105, 243), (32, 32), (33, 47)):
        grid = extractor(torch.zeros(1, 3, height, width))
        assert grid.shape == (1, 152, -(-height // 8), -(-width // 8))
    rows = patches(torch.arange(24.0).reshape(1, 2, 3, 4))
    assert rows.shape == (12, 2)
    assert rows[5].tolist() == [5.0, 17.0]


def test_seed_decides_untrained_weights_and_leaves_the_global_state_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first, second, other = (FeatureExtractor("untrained", seed=seed) for seed in (4, 4, 5))
    assert torch.equal(torch.rand(3), expected)
    weight = "conv_stem.weight"
    assert torch.equal(first.network.state_dict()[weight], second.network.state_dict()[weight])
    assert not torch.equal(first.network.state_dict()[weight], other.network.state_dict()[weight])
    assert first.weights == "untrained, seed 4"


def test_extractor_stays_frozen_inside_a_module_that_trains():
    extractor = FeatureExtractor()
    torch.nn.Sequential(extractor).train()
    assert not any(module.training for module in extractor.modules())
    assert not any(parameter.requires_grad for parameter in extractor.parameters())


def test_local_weights_of_the_whole_timm_model_are_loaded(tmp_path):
    torch.manual_seed(8)
    whole = timm.create_model("mobilenetv3_large_100")
    save_file(whole.state_dict(), tmp_path / "whole.safetensors")
    extractor = FeatureExtractor(weights=tmp_path / "whole.safetensors")
    for name, value in extractor.network.state_dict().items():
        assert torch.equal(value, whole.state_dict()[name])
    assert extractor.weights == "local weights from whole.safetensors"


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("mobilenetv3_small_100", 24 + 48),
        ("mobilenetv3_large_100", 40 + 112),
        ("resnet18", 128 + 256),
        ("resnet50", 512 + 1024),
        ("wide_resnet50_2", 512 + 1024),
        ("vgg16", 512 + 512),
        ("convnext_atto", 80 + 160),
        ("densenet121", 512 + 1024),
    ],
)
def test_stages_of_timm_networks_with_weights_of_a_file_are_those_of_the_whole_network(tmp_path, name, channels):
    torch.manual_seed(2)
    whole = timm.create_model(name).eval()
    state = {key: value for key, value in whole.state_dict().items() if value.numel() < 4_000_000}  # no classifiers
    save_file(state, tmp_path / "weights.safetensors")
    extractor = FeatureExtractor(name, weights=tmp_path / "weights.safetensors")
    images = torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        deepest = {
            48 // stage.shape[-2]: stage for stage in whole.forward_intermediates(images, intermediates_only=True)
        }
        found = extractor.network(images)
    for stage, stride in zip(found, (8, 16), strict=True):
        torch.testing.assert_close(stage, deepest[stride], rtol=1e-4, atol=1e-5)
    assert extractor.channels == channels
    assert extractor(images[..., :40, :56]).shape == (1, channels, 5, 7)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda state: state.pop("blocks.1.0.bn1.weight"), r"lacks 1 of .*first blocks.1.0.bn1.weight"),
        (lambda state: state.update(extra=torch.zeros(1)), "holds extra, which"),
        (lambda state: state.update({"conv_stem.weight": torch.zeros(1)}), "conv_stem.weight is \\(1,\\)"),
        (lambda state: state["conv_stem.weight"].fill_(float("nan")), "conv_stem.weight holds NaN"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path, damage, message):
    state = FeatureExtractor().network.state_dict()
    damage(state)
    save_file(state, tmp_path / "weights.safetensors")
    with pytest.raises(BackboneError, match=message):
        FeatureExtractor(weights=tmp_path / "weights.safetensors")


def test_files_and_names_that_are_no_backbone_are_refused(tmp_path):
    (tmp_path / "noise.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(BackboneError, match="no safetensors file"):
        FeatureExtractor(weights=tmp_path / "noise.safetensors")
    with pytest.raises(BackboneError, match="no safetensors file"):
        FeatureExtractor(weights=tmp_path / "absent.safetensors")
    with pytest.raises(BackboneError, match="mobilenetv9 is no timm model"):
        FeatureExtractor("mobilenetv9")
    with pytest.raises(BackboneError, match="choose"):
        FeatureExtractor("vit_tiny_patch16_224")


def test_scaling_keeps_flat_images_flat_and_normalises_as_imagenet():
    image = np.full((40, 60, 3), 255, np.uint8)
    tensor = normalised(image, 0.5)
    assert tensor.shape == (1, 3, 20, 30)
    expected = [(1 - mean) / deviation for mean, deviation in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))]
    np.testing.assert_allclose(tensor[0, :, 10, 10].numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("shape", "scale"), [((700, 301), 0.31), ((513, 90), 0.93), ((256, 40), 0.5), ((300, 64), 1.7)]
)
def test_pictures_scaled_band_by_band_are_bit_for_bit_those_that_torch_scales_whole(shape, scale):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    size = [round(side * scale) for side in shape]
    whole = functional.interpolate(
        torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255, size, mode="bilinear", antialias=True
    )
    mean, deviation = (torch.tensor(each)[:, None, None] for each in (IMAGENET_MEAN, IMAGENET_DEVIATION))
    assert torch.equal(normalised(image, scale), (whole - mean) / deviation)
