"""The model wherever anomalib takes it: its command line, YAML, TorchInferencer, ONNX and OpenVINO."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("anomalib")

from anomaly import SequentialPatchcore
from anomaly.inspection.inspector import Inspector
from anomaly.inspection.train import train_inspector
from scenes.formats.sample import Sample

REPOSITORY = Path(__file__).resolve().parents[3]
SHAPE = (72, 100)  # no multiples of the strides


@pytest.fixture(scope="module")
def trained():
    return model_of("untrained")


def model_of(backbone):
    """A model whose bank is larger than what an exported one compares at once, and whose thresholds are set."""
    patchcore = SequentialPatchcore(
        backbone=backbone,
        size=300,
        pre_processor=SequentialPatchcore.configure_pre_processor(SHAPE),
        visualizer=False,
    )
    patchcore.model.update(images(4, SHAPE, 1))
    for name, value in {"min": 0.0, "max": 9.0}.items():
        getattr(patchcore.post_processor, f"image_{name}").fill_(value)
        getattr(patchcore.post_processor, f"pixel_{name}").fill_(value)
    patchcore.post_processor._image_threshold.fill_(4.0)
    patchcore.post_processor._pixel_threshold.fill_(4.0)
    return patchcore.eval()


def images(count, shape, seed):
    return torch.rand(count, 3, *shape, generator=torch.Generator().manual_seed(seed))


def evaluated(patchcore, batch):
    with torch.no_grad():
        result = patchcore(batch)
    return result.pred_score.numpy(), result.anomaly_map.numpy()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "shapes"),
    [(SHAPE, [(1, *SHAPE), (3, *SHAPE)]), (None, [(1, *SHAPE), (2, 160, 90), (1, 333, 257)])],
)
def test_onnx_evaluates_as_torch_does_in_any_batch_and_scales_pictures_of_any_size_itself(
    trained, tmp_path, size, shapes
):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(str(trained.to_onnx(tmp_path, input_size=size)))
    names = [output.name for output in session.get_outputs()]
    for seed, (count, *shape) in enumerate(shapes):
        batch = images(count, shape, seed)
        found = dict(zip(names, session.run(None, {session.get_inputs()[0].name: batch.numpy()}), strict=True))
        score, anomaly_map = evaluated(trained, batch)
        np.testing.assert_allclose(found["pred_score"], score, atol=1e-4)
        np.testing.assert_allclose(found["anomaly_map"], anomaly_map, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["test_vit@2/8", "filters+test_vit@1,2/16:scaled"])
def test_onnx_sees_with_vision_transformers_and_joined_backbones_as_torch_does(tmp_path, backbone):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    model = model_of(backbone)
    session = runtime.InferenceSession(str(model.to_onnx(tmp_path, input_size=SHAPE)))
    names = [output.name for output in session.get_outputs()]
    batch = images(2, SHAPE, 4)
    found = dict(zip(names, session.run(None, {session.get_inputs()[0].name: batch.numpy()}), strict=True))
    np.testing.assert_allclose(found["anomaly_map"], evaluated(model, batch)[1], atol=1e-4)


@pytest.mark.slow
def test_openvino_evaluates_as_torch_does(trained, tmp_path):
    pytest.importorskip("onnxscript")
    openvino = pytest.importorskip("openvino")
    path = trained.to_openvino(tmp_path, input_size=SHAPE)
    # Left to itself OpenVINO may compute in half precision.
    compiled = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    batch = images(2, SHAPE, 8)
    found = compiled(batch.numpy())
    score, anomaly_map = evaluated(trained, batch)
    np.testing.assert_allclose(found["pred_score"], score, atol=1e-4)
    np.testing.assert_allclose(found["anomaly_map"], anomaly_map, atol=1e-4)


def test_torch_inferencer_evaluates_as_the_model_does(trained, tmp_path, monkeypatch):
    from anomalib.deploy import TorchInferencer

    monkeypatch.setenv("TRUST_REMOTE_CODE", "1")
    inferencer = TorchInferencer(path=trained.to_torch(tmp_path), device="cpu")
    picture = images(1, SHAPE, 9)[0]
    prediction = inferencer.predict(picture)
    score, anomaly_map = evaluated(trained, picture[None])
    np.testing.assert_allclose(prediction.pred_score.reshape(-1), score.reshape(-1), atol=1e-6)
    np.testing.assert_allclose(prediction.anomaly_map.squeeze(), anomaly_map.squeeze(), atol=1e-6)


def test_going_on_from_an_inspector_and_loading_the_checkpoint_without_it(tmp_path):
    picture = np.random.default_rng(0).integers(60, 190, (64, 80, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "good.png")
    sample = Sample("good", "good", "good", tmp_path / "good.png")
    begun = train_inspector([sample], tmp_path / "inspector", backbone="untrained", size=50, seed=5, image_size=80)
    patchcore = SequentialPatchcore(start=str(tmp_path / "inspector"), augmentation=True)
    assert torch.equal(patchcore.model.memory_bank, begun.model.memory_bank)
    patchcore.model.update(images(1, (64, 80), 3), sources=[7])
    generations = patchcore.model.coreset.generations
    assert torch.equal(generations, (patchcore.model.coreset.sources == 7).long())
    checkpoint = {"state_dict": patchcore.state_dict(), "hyper_parameters": dict(patchcore.hparams)}
    assert Inspector.load(tmp_path / "inspector").model.coreset.size == 50
    (tmp_path / "inspector" / "bank.safetensors").unlink()
    loaded = SequentialPatchcore(**checkpoint["hyper_parameters"])
    loaded.load_state_dict(checkpoint["state_dict"])
    assert torch.equal(loaded.model.coreset.bank, patchcore.model.coreset.bank)
    assert torch.equal(loaded.model.coreset.generations, generations)


def anomalib(*arguments, cwd):
    program = "import sys; from anomalib.cli.cli import main; sys.argv[0] = 'anomalib'; main()"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], cwd=cwd, env=environment, capture_output=True, text=True
    )


@pytest.mark.slow
def test_anomalib_trains_it_by_name(folder, tmp_path):
    data = [
        "--data", "anomalib.data.Folder", "--data.name", "squares", "--data.root", folder, "--data.normal_dir", "good",
        "--data.normal_test_dir", "good_test", "--data.abnormal_dir", "bad", "--data.mask_dir", "masks",
        "--data.num_workers", 0, "--data.val_split_mode", "same_as_test",
    ]  # fmt: skip
    run = anomalib(
        "train", "--model", "anomaly.SequentialPatchcore", "--model.backbone", "untrained", "--model.size", 40,
        "--model.visualizer", "false", *data, "--default_root_dir", tmp_path, "--trainer.accelerator", "cpu",
        cwd=tmp_path,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    assert "pixel_AUROC" in run.stdout
    assert list(tmp_path.rglob("*.ckpt"))


@pytest.mark.slow
def test_anomalib_trains_it_from_yaml(folder, tmp_path):
    (tmp_path / "config.yaml").write_text(
        f"""
model:
  class_path: anomaly.SequentialPatchcore
  init_args: {{backbone: untrained, size: 40, epochs: 2, augmentation: true, visualizer: false}}
data:
  class_path: anomalib.data.Folder
  init_args:
    {{name: squares, root: {folder}, normal_dir: good, normal_test_dir: good_test, abnormal_dir: bad, mask_dir: masks,
      num_workers: 0, val_split_mode: same_as_test}}
default_root_dir: {tmp_path}
trainer: {{accelerator: cpu}}
"""
    )
    run = anomalib("train", "--config", tmp_path / "config.yaml", cwd=tmp_path)
    assert run.returncode == 0, run.stderr[-3000:]
    checkpoint = next(iter(tmp_path.rglob("*.ckpt")))
    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    assert state["model.memory_bank"].shape == (40, 152)
    assert len(set(state["model.sources"].tolist())) > 1
