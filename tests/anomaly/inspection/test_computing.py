import numpy as np
import pytest
import torch
from PIL import Image

from anomaly.backbone.patch_extractor import patch_extractor
from anomaly.inspection.computing import Computing, DeviceError, device_named
from anomaly.inspection.evaluate import evaluate_inspector
from anomaly.inspection.inspector import BANK_FILE, Inspector, TrainingRecord
from anomaly.inspection.options import computing
from anomaly.inspection.train import train_inspector
from anomaly.patchcore.torch_model import SequentialPatchcoreModel
from scenes.formats.registry import read_samples

SHAPES = ((64, 80), (72, 64), (64, 80), (90, 101), (64, 80))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """MVTec layout, pictures of several sizes: grey noise, and in the flawed ones a bright square."""
    root, rng = tmp_path_factory.mktemp("squares"), np.random.default_rng(0)
    for kind in ("train/good", "test/good", "test/square"):
        (root / kind).mkdir(parents=True)
        for index, shape in enumerate(SHAPES):
            picture = rng.normal(120, 8, (*shape, 3)).clip(0, 255).astype(np.uint8)
            if kind == "test/square":
                picture[16:40, 24:48] = 255
                mask = np.zeros(shape, np.uint8)
                mask[16:40, 24:48] = 255
                (root / "ground_truth/square").mkdir(parents=True, exist_ok=True)
                Image.fromarray(mask).save(root / f"ground_truth/square/{index}_mask.png")
            Image.fromarray(picture).save(root / kind / f"{index}.png")
    return root


def inspector_of(backbone, size=60):
    extractor = patch_extractor(backbone, seed=3)
    record = TrainingRecord(extractor.backbone, False, "", size, 1, 1.0, 0, (), (), "")
    inspector = Inspector(SequentialPatchcoreModel(extractor, size), record)
    inspector.model.update_features(inspector.features(picture(1)))
    return inspector


def picture(seed, shape=(160, 200)):
    return np.random.default_rng(seed).normal(120, 20, (*shape, 3)).clip(0, 255).astype(np.uint8)


def test_a_processor_gives_the_same_bytes_for_any_batch(folder, tmp_path):
    samples = read_samples(folder)
    for name, batch in (("single", 1), ("several", 4)):
        where = computing("cpu", batch, "half", None)
        inspector = train_inspector(samples, tmp_path / name, backbone="untrained", size=40, epochs=2, computing=where)
        evaluate_inspector(inspector, samples, None, tmp_path / name / "report")
    single, several = tmp_path / "single", tmp_path / "several"
    names = [path.relative_to(single) for path in single.rglob("*.npy")] + [BANK_FILE]
    assert all((single / name).read_bytes() == (several / name).read_bytes() for name in names)


def test_a_card_is_given_pictures_of_one_size_together_and_answers_in_order():
    shapes, calls = [(1, 3, *shape) for shape in SHAPES], []

    def compute(together):
        calls.append(tuple(together.shape))
        return together[:, 0]

    inputs = (torch.empty(shape) for shape in shapes)
    results = list(Computing("meta", batch=4).each(inputs, compute))
    assert calls == [(2, 3, 64, 80), (1, 3, 72, 64), (1, 3, 90, 101), (1, 3, 64, 80)]
    assert [tuple(result.shape) for result in results] == [(1, *shape[2:]) for shape in shapes]
    assert {result.device.type for result in results} == {"meta"}


def test_pictures_are_read_no_further_ahead_than_a_batch():
    read = []

    def pictures():
        for number in range(9):
            read.append(number)
            yield torch.empty(1, 2)

    results = Computing("meta", batch=3).each(pictures(), lambda together: together)
    next(results)
    assert read == [0, 1, 2]


@pytest.mark.parametrize("backbone", ["untrained", "test_vit@2/16"])
def test_half_precision_changes_a_map_by_less_than_a_thousandth(backbone):
    inspector, image = inspector_of(backbone), picture(2)
    image[40:60, 50:90] = 255
    full, score = inspector.predict(image)
    inspector.model.half_precision = True  # what `on` asks of a card; a processor can, slowly
    half, half_score = inspector.predict(image)
    assert (full != half).any()
    np.testing.assert_allclose(half, full, atol=1e-3 * score)
    assert half_score == pytest.approx(score, rel=1e-3)


def test_a_score_of_half_precision_close_to_the_threshold_is_computed_in_full():
    inspector, image = inspector_of("untrained"), picture(2)
    image[40:60, 50:90] = 255
    full, score = inspector.predict(image)
    inspector.model.half_precision = True
    far = inspector.with_threshold(score * 0.9, "").predict(image)
    close = inspector.with_threshold(score * 1.005, "").predict(image)
    assert (far[0] != full).any()
    assert close[1] == score
    np.testing.assert_array_equal(close[0], full)
    assert inspector.model.half_precision


def test_a_device_that_is_not_here_is_refused():
    assert device_named("cpu") == "cpu"
    missing = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(DeviceError, match=f"device {missing}: torch .* finds none here; choose --device auto or cpu"):
        computing(missing, 1, "full", None)
    with pytest.raises(DeviceError, match="expected one of auto, cpu, cuda, mps"):
        device_named("tpu")


def test_half_precision_is_never_asked_of_a_processor():
    assert computing("cpu", 1, "half", 640) == Computing("cpu", 1, False, 640)
