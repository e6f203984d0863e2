import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from anomaly.backbone.packaged_weights import DINOV2_SMALL, EFFICIENTNET_LITE0
from anomaly.backbone.patch_extractor import patch_extractor, weights_digest
from anomaly.deployment import check
from anomaly.deployment.answering_model import Answer, AnsweringModel, described
from anomaly.deployment.cli import ExportError, size_from
from anomaly.deployment.formats import FORMATS
from anomaly.inspection.computing import Computing
from anomaly.inspection.inspector import Inspector, InspectorError, PixelSize, TrainingRecord
from anomaly.inspection.regions import Regions
from anomaly.patchcore.torch_model import SequentialPatchcoreModel
from blemish import program

REPOSITORY = Path(__file__).resolve().parents[3]
SHAPE = (150, 170)  # no multiples of the strides
NEEDED = {"efficientnet-lite0": EFFICIENTNET_LITE0, "dinov2-small": DINOV2_SMALL}


def inspector_of(backbone, scale=0.7, size=300, threshold=1.0, **more):
    """One whose bank is larger than what an exported one compares at once."""
    extractor = patch_extractor(backbone, seed=3)
    record = TrainingRecord(
        extractor.backbone,
        extractor.pretrained,
        extractor.weights,
        size,
        1,
        scale,
        3,
        (),
        (),
        "",
        threshold=threshold,
        threshold_origin="given as a number",
        weights_digest=weights_digest(extractor),
        **more,
    )
    inspector = Inspector(SequentialPatchcoreModel(extractor, size), record)
    inspector.model.update_features(inspector.features(picture(1, (200, 240))))
    return inspector


def picture(seed, shape=SHAPE):
    image = np.random.default_rng(seed).normal(120, 25, (*shape, 3)).clip(0, 255).astype(np.uint8)
    image[40:60, 50:90] = 255
    return image


def answer_of(model, image):
    with torch.no_grad():
        return [value.numpy() for value in model(torch.from_numpy(image))]


@pytest.mark.parametrize("scale", [1.0, 0.7, 1.3])
def test_the_graph_answers_as_the_inspector(scale):
    inspector, image = inspector_of("untrained", scale), picture(2)
    expected, score = inspector.predict(image)
    for threshold, is_flawed in ((score * 0.99, True), (score * 1.01, False)):
        model = AnsweringModel(inspector.with_threshold(threshold, ""), SHAPE)
        anomaly_map, found, verdict = answer_of(model, image)
        np.testing.assert_allclose(anomaly_map, expected, atol=1e-4 * score)
        assert found == pytest.approx(score, rel=1e-4)
        assert bool(verdict) == is_flawed == inspector.inspect(image, threshold=threshold).is_flawed


def test_regions_and_their_thresholds_are_within_and_give_the_size():
    levels = np.zeros(SHAPE, np.uint8)
    levels[20:140, 30:160], levels[45:55, 60:80] = 1, 2
    inspector = inspector_of("untrained", threshold=4.0).with_regions(Regions(levels, {2: 2.5}))
    image = picture(2)
    expected, score = inspector.predict(image)
    model = AnsweringModel(inspector)
    anomaly_map, *_ = answer_of(model, image)
    np.testing.assert_allclose(anomaly_map, expected, atol=1e-4 * score)
    assert (anomaly_map[levels == 0] == 0).all()
    assert described(inspector, model)["region_thresholds"] == {"2": 2.5}
    with pytest.raises(Exception, match="where to look was drawn on"):
        AnsweringModel(inspector, (100, 100))


def test_what_cannot_be_exported_is_refused():
    inspector = inspector_of("untrained")
    with pytest.raises(InspectorError, match="--size is missing"):
        AnsweringModel(inspector)
    with pytest.raises(InspectorError, match="no threshold"):
        AnsweringModel(replace(inspector, training=replace(inspector.training, threshold=None)), SHAPE)
    with pytest.raises(InspectorError, match="in 121 tiles, an exported inspector takes 64 at most"):
        AnsweringModel(inspector, (13_000, 13_000))
    known = replace(inspector, training=replace(inspector.training, pixel_size=PixelSize(1e-5, *SHAPE)))
    assert AnsweringModel(known).size == SHAPE
    assert described(known, AnsweringModel(known, (75, 85)))["metres_per_pixel"] == pytest.approx(2e-5)


@pytest.mark.parametrize("backbone", ["untrained", "test_vit@2/16"])
def test_pictures_in_tiles_are_looked_at_in_the_same_tiles(backbone):
    inspector, image = inspector_of(backbone, 0.9, threshold=1.0, tile=512), picture(2, (200, 700))
    expected, score = inspector.predict(image)
    whole, _ = inspector.on(Computing(tile=5000)).predict(image)
    model = AnsweringModel(inspector, image.shape[:2])
    assert len(model.tiles) == 5
    assert np.abs(whole - expected).max() > 1e-2 * score  # which tiles decide
    np.testing.assert_allclose(answer_of(model, image)[0], expected, atol=1e-4 * score)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("backbone", ["untrained", "test_vit@2/16"])
def test_every_format_looks_at_pictures_in_tiles(backbone, name, tmp_path):
    if name != "torch":
        pytest.importorskip("onnxscript")
        pytest.importorskip("onnxruntime" if name == "onnx" else "openvino")
    inspector, image = inspector_of(backbone, 0.9, threshold=1.0, tile=512), picture(2, (200, 700))
    expected, score = inspector.predict(image)
    model, written_as = AnsweringModel(inspector, image.shape[:2]), FORMATS[name]
    path = tmp_path / f"inspector{written_as.ending}"
    written_as.write(model, described(inspector, model), path)
    np.testing.assert_allclose(written_as.run(path, image).anomaly_map, expected, atol=1e-4 * score)


@pytest.mark.parametrize("written", ["2448", "0x5", "axb", "10x20x3"])
def test_a_size_is_width_and_height(written):
    assert size_from("2448x2050") == (2050, 2448)
    with pytest.raises(ExportError, match="expected width and height in pixels, as 2448x2050"):
        size_from(written)


def test_the_command_writes_a_file_that_answers_and_says_what_it_is(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    inspector = inspector_of("test_vit@2/16", threshold=0.02)
    inspector.save(tmp_path / "inspector")
    out = tmp_path / "new" / "inspector.onnx"
    arguments = ["export", str(tmp_path / "inspector"), "--size", "170x150", "--out", str(out)]
    run = CliRunner().invoke(program("export"), arguments, catch_exceptions=False)
    assert run.exit_code == 0, run.output
    assert "picture   170 x 150 pixels" in run.output
    session = runtime.InferenceSession(out)
    said = json.loads(session.get_modelmeta().custom_metadata_map["blemish"])
    assert said["threshold"] == pytest.approx(0.02)
    assert said["input"]["shape"] == [150, 170, 3]
    assert said["weights_sha256"] == inspector.training.weights_digest
    expected, score = inspector.predict(picture(5))
    anomaly_map, found, is_flawed = session.run(None, {"picture": picture(5)})
    np.testing.assert_allclose(anomaly_map, expected, atol=1e-4 * score)
    assert found == pytest.approx(score, rel=1e-4)
    assert is_flawed == (score >= 0.02)


def test_a_file_that_answers_otherwise_is_removed(tmp_path):
    inspector, path = inspector_of("untrained"), tmp_path / "wrong.onnx"
    path.write_bytes(b"anything")

    def run(path, image):
        anomaly_map, score = inspector.predict(image)
        return Answer(anomaly_map * 1.1, score, True)

    wrong = replace(FORMATS["onnx"], run=run)
    with pytest.raises(InspectorError, match="answered otherwise than the inspector"):
        check.largest_difference(inspector, wrong, path, SHAPE)
    assert not path.exists()


def test_the_name_of_the_file_fits_the_format(tmp_path):
    arguments = ["export", "nowhere", "--size", "170x150", "--format", "torch", "--out", str(tmp_path / "a.onnx")]
    with pytest.raises(ExportError, match=r"expected a name that ends in \.pt2, for --format torch"):
        CliRunner().invoke(program("export"), arguments, catch_exceptions=False)


@pytest.mark.slow
@pytest.mark.parametrize("half", [False, True], ids=["single", "half"])
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("backbone", ["embedded", "efficientnet-lite0", "dinov2-small", "embedded+efficientnet-lite0"])
def test_every_backbone_in_every_format_answers_as_the_inspector(backbone, name, half, tmp_path):
    for part in backbone.split("+"):
        if part in NEEDED and not NEEDED[part].at_hand():
            pytest.skip(f"the package with the weights of {part} is not installed")
    if name != "torch":
        pytest.importorskip("onnxscript")
        pytest.importorskip("onnxruntime" if name == "onnx" else "openvino")
    inspector, written_as = inspector_of(backbone), FORMATS[name]
    path = tmp_path / f"inspector{written_as.ending}"
    expected, score = inspector.predict(picture(2))
    inspector = inspector.with_threshold(score * (0.99 if half else 0.999), "")
    model = AnsweringModel(inspector, SHAPE, half)
    written_as.write(model, described(inspector, model), path)
    answer = written_as.run(path, picture(2))
    np.testing.assert_allclose(answer.anomaly_map, expected, atol=(5e-3 if half else 1e-4) * score)
    assert bool(answer.is_flawed)
    assert written_as.describe(path)["threshold"] == model.threshold
    assert written_as.describe(path)["half_precision"] == half


@pytest.mark.slow
def test_the_lines_in_the_documentation_run_an_inspector_without_blemish_or_torch(tmp_path):
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    page = (REPOSITORY / "docs/inspectors.md").read_text(encoding="utf-8")
    lines = re.search(r"```python\n(import json\n.*?)```", page, re.DOTALL)[1]
    inspector = inspector_of("untrained")
    model = AnsweringModel(inspector, SHAPE)
    (tmp_path / "out").mkdir()
    FORMATS["onnx"].write(model, described(inspector, model), tmp_path / "out/careful.onnx")
    Image.fromarray(picture(2)).save(tmp_path / "part.png")
    ended = "\nimport sys\nassert not {'torch', 'anomaly'} & set(sys.modules)\n"
    run = subprocess.run([sys.executable, "-c", lines + ended], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert f"{inspector.predict(picture(2))[1]:.3f}"[:4] in run.stdout
    assert "flawed" in run.stdout
