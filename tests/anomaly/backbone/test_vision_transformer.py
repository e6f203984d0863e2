import hashlib

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch.nn import functional

from anomaly.backbone.extractor import FeatureExtractor
from anomaly.backbone.feature_statistics import procedural_pictures
from anomaly.backbone.patch_extractor import BackboneError, patch_extractor, same_weights
from anomaly.backbone.vision_transformer import TransformerName, VisionTransformer
from anomaly.inspection.inspector import BANK_FILE, Inspector, InspectorError, read_tensors, write_tensors
from anomaly.inspection.maintenance import melded
from anomaly.inspection.train import train_inspector
from scenes.formats.registry import read_samples
from tests.anomaly.conftest import folder_of_good

SMALL = "test_vit"  # timm's own for tests: patches of 16 pixels, 64 channels, 6 blocks, pictures of 160 pixels


def _pictures(height: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(seed))


def test_features_are_the_tokens_after_a_block_each_at_length_one(tmp_path):
    torch.manual_seed(5)
    whole = timm.create_model(SMALL).eval()
    save_file(whole.state_dict(), tmp_path / "whole.safetensors")
    extractor = VisionTransformer(f"{SMALL}@2,4/16", weights=tmp_path / "whole.safetensors")
    tokens = {}
    for block in (2, 4):
        whole.blocks[block - 1].register_forward_hook(lambda _m, _i, out, block=block: tokens.update({block: out}))
    images = _pictures(160, 160)
    with torch.no_grad():
        mean, deviation = (torch.tensor(whole.pretrained_cfg[key])[:, None, None] for key in ("mean", "std"))
        imagenet = (
            torch.tensor((0.485, 0.456, 0.406))[:, None, None],
            torch.tensor((0.229, 0.224, 0.225))[:, None, None],
        )
        whole((images * imagenet[1] + imagenet[0] - mean) / deviation)
        found = extractor(images).numpy()
    assert found.shape == (2, 128, 10, 10)
    assert extractor.channels == 128
    for place, block in enumerate((2, 4)):
        patches = tokens[block][:, whole.num_prefix_tokens :].numpy()
        patches = patches / np.linalg.norm(patches, axis=-1, keepdims=True) / np.sqrt(2)
        ours = found[:, 64 * place : 64 * place + 64].transpose(0, 2, 3, 1).reshape(2, 100, 64)
        np.testing.assert_allclose(ours, patches, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_at_stride_8_patches_of_16_pixels_see_the_picture_twice_enlarged():
    fine, coarse = (VisionTransformer(f"{SMALL}@3/{stride}") for stride in (8, 16))
    images = _pictures(48, 64)
    enlarged = functional.interpolate(images, scale_factor=2, mode="bilinear", align_corners=False)
    assert (fine.strides, coarse.strides) == ((8,), (16,))
    torch.testing.assert_close(fine(images), coarse(enlarged))


@pytest.mark.parametrize("model", [SMALL, "test_vit3", "eva02_tiny_patch14_224", "deit_tiny_patch16_224"])
def test_pictures_of_any_size_are_continued_to_whole_patches(model):
    extractor = VisionTransformer(f"{model}@1/8")
    for height, width in ((105, 243), (33, 47), (8, 8)):
        images = _pictures(height, width)
        whole = np.pad(images.numpy(), ((0, 0), (0, 0), (0, -height % 8), (0, -width % 8)), mode="edge")
        found = extractor(images)
        assert found.shape == (2, extractor.channels, -(-height // 8), -(-width // 8))
        torch.testing.assert_close(found, extractor(torch.from_numpy(whole)))


def test_scaled_channels_have_one_deviation_on_procedural_pictures_and_it_travels():
    scaled = VisionTransformer(f"{SMALL}@4/16:scaled")
    rows = torch.cat([scaled(images).permute(0, 2, 3, 1).reshape(-1, 64) for images in procedural_pictures()])
    np.testing.assert_allclose(rows.std(dim=0).numpy(), 1, atol=0.06)  # deviations are kept at two digits
    other = VisionTransformer(f"{SMALL}@4/16:scaled", seed=1)
    assert not same_weights(scaled, other)
    other.load_weights(scaled.weight_tensors())
    images = _pictures(40, 40)
    assert same_weights(scaled, other)
    assert torch.equal(scaled(images), other(images))


def test_weights_of_other_layers_strides_or_scalings_are_refused():
    wanted = VisionTransformer(f"{SMALL}@3/16")
    for name, message in (("@3/8", "stride and layers"), ("@2,3/16", "stride and layers"), ("@3/16:scaled", "unit")):
        other = VisionTransformer(SMALL + name)
        assert not same_weights(wanted, other)
        with pytest.raises(ValueError, match=message):
            wanted.load_weights(other.weight_tensors())
    with pytest.raises(RuntimeError, match="size mismatch"):
        wanted.load_weights(VisionTransformer("deit_tiny_patch16_224@3/16").weight_tensors())


def test_names_say_layers_stride_and_scaling():
    assert str(TransformerName.parse("a.b@9,6/16:scaled")) == "a.b@6,9/16:scaled"
    extractor = patch_extractor(SMALL)
    assert extractor.backbone == f"{SMALL}@3/16:unit"  # half of six blocks
    assert extractor.weights == "untrained, seed 0"
    for wrong in ("@", "@a", "/4", ":flat", "@1@2"):
        with pytest.raises(BackboneError, match="expected NAME@LAYERS/STRIDE:SCALING"):
            patch_extractor(SMALL + wrong)
    with pytest.raises(BackboneError, match="has the layers 1 to 6; found 7"):
        patch_extractor(f"{SMALL}@7")
    with pytest.raises(BackboneError, match="resnet18 is no vision transformer"):
        patch_extractor("resnet18@3")
    with pytest.raises(BackboneError, match="vit_nowhere is no timm model"):
        patch_extractor("vit_nowhere@3")


def test_an_inspector_sees_with_a_vision_transformer_and_refuses_another(tmp_path):
    root = folder_of_good(tmp_path / "pictures", (110, 130), 3)
    samples = read_samples(root)
    trained = train_inspector(samples, tmp_path / "a", backbone=f"{SMALL}@2/16", size=30)
    again = Inspector.load(tmp_path / "a")
    assert again.training.backbone == f"{SMALL}@2/16:unit"
    image = np.full((40, 50, 3), 90, np.uint8)
    np.testing.assert_array_equal(trained.predict(image)[0], again.predict(image)[0])
    other = train_inspector(samples, tmp_path / "b", backbone=f"{SMALL}@2/8", size=30)
    with pytest.raises(InspectorError, match="inspector 2 has another backbone"):
        melded([trained, other])
    more = train_inspector(samples, tmp_path / "c", start=trained, backbone=f"{SMALL}@2/16")
    assert more.training.generation == 1
    with pytest.raises(InspectorError, match="keeps its backbone"):
        train_inspector(samples, tmp_path / "d", start=trained, backbone=f"{SMALL}@2/8")


def test_a_network_is_given_pictures_as_it_was_trained_on(tmp_path):
    torch.manual_seed(6)
    name = "tf_efficientnet_lite0"  # whose pictures have mean and deviation .5
    save_file(timm.create_model(name).state_dict(), tmp_path / "whole.safetensors")
    extractor = FeatureExtractor(name, weights=tmp_path / "whole.safetensors")
    images = _pictures(32, 32)
    deviation, mean = (torch.tensor(v)[:, None, None] for v in ((0.229, 0.224, 0.225), (0.485, 0.456, 0.406)))
    plain = FeatureExtractor(name)
    state = extractor.weight_tensors()
    assert state.pop("input.mean").tolist() == [0.5, 0.5, 0.5]
    state.pop("input.deviation")
    plain.load_weights(state)  # as a file from before holds them: pictures stay as they are
    torch.testing.assert_close(extractor(images), plain((images * deviation + mean - 0.5) / 0.5))
    plain.load_weights(extractor.weight_tensors())
    assert torch.equal(extractor(images), plain(images))


def test_the_record_says_which_weights_and_holds_the_inspector_to_them(tmp_path):
    root = folder_of_good(tmp_path / "pictures", (110, 130), 3)
    trained = train_inspector(read_samples(root), tmp_path / "a", backbone="test_vit@2/16", size=30)
    digest = hashlib.sha256()
    for name, value in sorted(trained.model.extractor.weight_tensors().items()):
        digest.update(name.encode() + value.numpy().tobytes())
    assert trained.training.weights_digest == digest.hexdigest()
    path = tmp_path / "a" / BANK_FILE
    tensors, described = read_tensors(path)
    write_tensors(path, {**tensors, "backbone.cls_token": tensors["backbone.cls_token"] + 1}, described)
    with pytest.raises(InspectorError, match="backbone's weights are not those it was written with"):
        Inspector.load(tmp_path / "a")
    write_tensors(
        path, tensors, {k: v for k, v in described.items() if k != "weights_digest"}
    )  # as before there was one
    assert Inspector.load(tmp_path / "a").training.weights_digest == ""
    write_tensors(path, tensors, {**described, "backbone": "vit_of_tomorrow@8/16:unit"})
    with pytest.raises(
        InspectorError, match=r"'vit_of_tomorrow@8/16:unit', which is not at hand here \(vit_of_tomorrow is"
    ):
        Inspector.load(tmp_path / "a")
