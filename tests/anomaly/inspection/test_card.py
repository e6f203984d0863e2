"""A graphics card answers as the processor does. Each test runs on the processor too, for the test's own sake."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from typer.testing import CliRunner

from anomaly.backbone.packaged_weights import DINOV2_SMALL, EFFICIENTNET_LITE0
from anomaly.backbone.patch_extractor import patch_extractor
from anomaly.deployment.answering_model import AnsweringModel
from anomaly.inspection.computing import PROCESSOR, Computing
from anomaly.inspection.evaluate import evaluate_inspector
from anomaly.inspection.inspector import BANK_FILE, HALF_PRECISION, Inspector, TrainingRecord
from anomaly.inspection.maintenance import melded, resized
from anomaly.inspection.train import train_inspector
from anomaly.patchcore.coreset import SequentialCoreset
from anomaly.patchcore.distance_bounds import full_precision
from anomaly.patchcore.torch_model import SequentialPatchcoreModel
from blemish import program
from scenes.formats.registry import read_samples
from tests.anomaly.patchcore.oracle import literal_coreset

SHAPES = ((96, 112), (128, 80), (96, 112), (90, 101), (96, 112), (128, 80))
# The largest difference of two maps over the score, of the backbone in float32 and in float16: of the latter half of
# that within which of the threshold a score is computed again.
FULL, HALF = 1e-4, HALF_PRECISION / 2
PACKAGED = {"efficientnet-lite0": EFFICIENTNET_LITE0, "dinov2-small": DINOV2_SMALL}
QUICK = ("filters", "test_vit@2/16")
SHIPPED = ("embedded", "distilled", "efficientnet-lite0", "dinov2-small")
EVERY = (*QUICK, *SHIPPED, "untrained", "filters+untrained", "embedded:scaled")


def on(device: str) -> object:
    """A parameter: the processor, or the card where torch finds one."""
    return pytest.param(device, marks=pytest.mark.gpu) if device != "cpu" else device


@pytest.fixture(params=[on("cpu"), on("card")])
def device(request) -> str:
    return "cpu" if request.param == "cpu" else request.getfixturevalue("card")


@pytest.fixture
def case(request) -> tuple[str, str]:
    device, backbone = request.param
    if backbone in PACKAGED and not PACKAGED[backbone].at_hand():
        pytest.skip(f"the package with {backbone}'s weights is not installed")
    return ("cpu" if device == "cpu" else request.getfixturevalue("card")), backbone


def cases(*of_the_card: str, of_the_processor: tuple[str, ...] = QUICK) -> pytest.MarkDecorator:
    """Devices and backbones: few on the processor, all of them on a card."""
    there = [pytest.param(("card", name), marks=pytest.mark.gpu) for name in of_the_card]
    here = [("cpu", name) for name in of_the_processor]
    return pytest.mark.parametrize("case", [*here, *there], indirect=True, ids=str)


def picture(seed: int, shape=(96, 112), flawed: bool = False) -> np.ndarray:
    """(H, W, 3) a smooth grey texture with noise, perhaps with a bright square."""
    rng = np.random.default_rng(seed)
    grey = 120 + 300 * gaussian_filter(rng.standard_normal(shape), 3) + rng.normal(0, 4, shape)
    if flawed:
        grey[30:50, 20:60] += 120
    return np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def inspector_of(backbone: str, size: int = 200) -> Inspector:
    extractor = patch_extractor(backbone, seed=3)
    record = TrainingRecord(extractor.backbone, False, "", size, 1, 1.0, 0, (), (), "")
    inspector = Inspector(SequentialPatchcoreModel(extractor, size), record)
    for seed in range(100, 104):
        inspector.model.update_features(inspector.features(picture(seed, (160, 160))))
    return inspector


@pytest.fixture
def pictures() -> list[tuple[np.ndarray, None]]:
    return [(picture(seed, shape, flawed=bool(seed % 2)), None) for seed, shape in enumerate(SHAPES)]


def found_by(inspector: Inspector, pictures) -> list[tuple[np.ndarray, float]]:
    return [(anomaly_map.copy(), score) for _, anomaly_map, score in inspector.predict_each(pictures)]


def thresholds_between(scores: list[float]) -> list[float]:
    """Between every two scores that follow each other, where verdicts change."""
    ordered = sorted(scores)
    return [(low + high) / 2 for low, high in pairwise(ordered)]


@cases(*EVERY)
@pytest.mark.parametrize("batch", [1, 4])
def test_maps_and_verdicts_in_full_precision(case, pictures, batch):
    device, backbone = case
    inspector = inspector_of(backbone)
    expected = found_by(inspector, pictures)
    there = inspector.on(Computing(device, batch))
    for (found, found_score), (map_, score) in zip(found_by(there, pictures), expected, strict=True):
        np.testing.assert_allclose(found, map_, rtol=1e-3, atol=FULL * score)
        assert found_score == pytest.approx(score, rel=FULL)
    for threshold in thresholds_between([score for _, score in expected]):
        verdicts = [score >= threshold for _, score in found_by(there.with_threshold(threshold, ""), pictures)]
        assert verdicts == [score >= threshold for _, score in expected]


@cases(*EVERY)
def test_maps_and_verdicts_in_half_precision(case, pictures):
    device, backbone = case
    inspector = inspector_of(backbone)
    expected = found_by(inspector, pictures)
    there = inspector.on(Computing(device, 4, half_precision=True))
    differences = []
    for (found, _), (map_, score) in zip(found_by(there, pictures), expected, strict=True):
        differences.append(np.abs(found - map_).max() / score)
    print(f"{backbone}: half precision changes maps by {max(differences):.2%} of the score at most")
    assert 0 < max(differences) <= HALF
    for threshold in thresholds_between([score for _, score in expected]):
        verdicts = [score >= threshold for _, score in found_by(there.with_threshold(threshold, ""), pictures)]
        assert verdicts == [score >= threshold for _, score in expected]
    assert there.model.half_precision


@cases(*QUICK, *SHIPPED, of_the_processor=QUICK[1:])
@pytest.mark.parametrize("batch", [1, 3])
def test_maps_in_tiles(case, batch):
    device, backbone = case
    inspector, large = inspector_of(backbone), picture(7, (540, 700), flawed=True)
    valid = np.ones(large.shape[:2], bool)
    valid[400:, 600:] = False
    (expected, score) = inspector.on(Computing(tile=512)).predict(large, valid)
    found, found_score = inspector.on(Computing(device, batch, tile=512)).predict(large, valid)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=FULL * score)
    assert found_score == pytest.approx(score, rel=FULL)
    assert not found[~valid].any()


@pytest.mark.gpu
def test_the_memory_of_tiles_on_a_card_does_not_grow_with_the_pixels(card):
    if card != "cuda":
        pytest.skip("Metal does not tell its memory")
    there, peaks = inspector_of("embedded").on(Computing(card, 2, tile=640)), []
    for side in (2000, 6000):
        torch.cuda.reset_peak_memory_stats()
        there.predict(np.resize(picture(8, (500, side)), (side, side, 3)))
        peaks.append(torch.cuda.max_memory_allocated())
    assert peaks[1] < 3 * peaks[0]  # as wide as that; of nine times the pixels


@pytest.mark.parametrize("dimensions", [3, 152])
@pytest.mark.parametrize("kind", ["scattered", "on a grid", "half precision", "far from the origin"])
def test_the_coreset_is_the_literal_one_row_for_row(device, dimensions, kind):
    rng = np.random.default_rng(0)
    features = rng.standard_normal((1500, dimensions)).astype(np.float32)
    if kind == "on a grid":  # where many distances are equal
        features = rng.integers(0, 4, (1500, dimensions)).astype(np.float32)
    if kind == "far from the origin":  # where products of matrices are of no use
        features = features + np.float32(1000)
    given = torch.from_numpy(features).to(device)
    if kind == "half precision":
        given = given.half()
        features = given.float().cpu().numpy()
    bank, accepted = literal_coreset(features, 64, epochs=2)
    coreset = SequentialCoreset(64)
    assert [coreset.update(given) for _ in range(2)] == accepted
    np.testing.assert_array_equal(coreset.bank.cpu().numpy(), bank)


@cases(*EVERY)
def test_the_coreset_of_a_backbones_features_is_the_literal_one_row_for_row(case):
    device, backbone = case
    there = inspector_of(backbone).on(Computing(device))
    features = torch.cat([there.features(picture(seed, (128, 128))) for seed in range(6)])
    bank, accepted = literal_coreset(features.cpu().numpy(), 50, epochs=2)
    coreset = SequentialCoreset(50)
    assert [coreset.update(features) for _ in range(2)] == accepted
    np.testing.assert_array_equal(coreset.bank.cpu().numpy(), bank)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """MVTec layout, pictures of several sizes, in half of the tested ones a bright square."""
    root = tmp_path_factory.mktemp("squares")
    for first, kind in enumerate(("train/good", "test/good", "test/square")):
        (root / kind).mkdir(parents=True)
        for number, shape in enumerate(SHAPES):
            Image.fromarray(picture(10 * first + number, shape, kind == "test/square")).save(
                root / kind / f"{number}.png"
            )
            if kind == "test/square":
                mask = np.zeros(shape, np.uint8)
                mask[30:50, 20:60] = 255
                (root / "ground_truth/square").mkdir(parents=True, exist_ok=True)
                Image.fromarray(mask).save(root / f"ground_truth/square/{number}_mask.png")
    return root


@pytest.mark.parametrize("augmented", [False, True])
def test_a_training_has_the_same_bytes_every_time_and_the_verdicts_of_the_processors(
    device, folder, tmp_path, augmented
):
    from anomaly.inspection.augmentation import Augmentation

    samples = read_samples(folder)
    settings = {
        "backbone": "filters", "size": 100, "epochs": 2, "boundary_patches": 2,
        "augmentation": Augmentation() if augmented else None,
    }  # fmt: skip
    here = train_inspector(samples, tmp_path / "here", **settings)
    there = [
        train_inspector(samples, tmp_path / name, **settings, computing=Computing(device, batch))
        for name, batch in (("there", 4), ("again", 4), ("one by one", 1))
    ]
    files = [(tmp_path / name / BANK_FILE).read_bytes() for name in ("there", "again")]
    assert files[0] == files[1]
    loaded = Inspector.load(tmp_path / "there").on(PROCESSOR)
    for inspector in (*there, loaded):
        scores = {True: [], False: []}
        for sample in samples:
            scores[sample.label == "good"].append(inspector.predict(sample.image())[1])
        assert max(scores[True]) < min(scores[False])
    ours, theirs = (len(i.model.coreset.bank) for i in (here, there[0]))
    assert ours == theirs


def test_a_melded_and_a_shrunk_bank_are_those_of_the_processor_row_for_row(device):
    inspectors = [inspector_of("filters"), inspector_of("filters", 150)]
    there = inspectors[0].on(Computing(device))
    for size in (120, 250):
        here_bank, there_bank = (
            resized(melded([first, inspectors[1]], size), size - 20).patchcore.coreset.bank.cpu()
            for first in (inspectors[0].on(PROCESSOR), there)
        )
        assert torch.equal(here_bank, there_bank)
    assert melded([there, inspectors[1]]).computing == there.computing
    assert melded([there, inspectors[1]]).patchcore.memory_bank.device.type == torch.device(device).type


def test_what_is_evaluated_there_is_what_is_evaluated_here(device, folder, tmp_path):
    samples, inspector = read_samples(folder), inspector_of("filters")
    here = evaluate_inspector(inspector, samples, None, tmp_path / "here")
    there = evaluate_inspector(inspector.on(Computing(device, 4)), samples, None, tmp_path / "there")
    for one, other in zip(here.samples, there.samples, strict=True):
        assert one.name == other.name
        assert other.score == pytest.approx(one.score, rel=FULL)
    for name in ("image_auroc", "pixel_auroc", "best_pixel_f1"):
        assert getattr(there.metrics, name) == pytest.approx(getattr(here.metrics, name), abs=1e-3)


@pytest.mark.parametrize("precision", ["full", "half"])
def test_verdicts_of_the_command(device, folder, tmp_path, precision):
    train = ["train", str(folder), "--out", str(tmp_path / "inspector"), "--backbone", "filters", "--size", "100",
             "--threshold", "good:40%", "--validation-share", "0.5"]  # fmt: skip
    lines = {}
    assert CliRunner().invoke(program("train"), [*train, "--device", "cpu"]).exit_code == 0
    for name in ("cpu", device):
        out = tmp_path / f"{name} {precision}"
        pictures = [str(folder / "test" / kind) for kind in ("good", "square")]
        options = ["--out", str(out), "--device", name, "--precision", precision, "--batch", "3"]
        inspect = ["inspect", str(tmp_path / "inspector"), *pictures, *options]
        found = CliRunner().invoke(program("inspect"), inspect)
        assert found.exit_code == 1, found.output
        every = [json.loads(line) for line in (out / "verdicts.jsonl").read_text().splitlines()]
        lines[name] = [(line["picture"], line["verdict"]) for line in every if "verdict" in line]
    assert len(lines["cpu"]) == 2 * len(SHAPES)
    assert lines[device] == lines["cpu"]


@cases(*QUICK, *SHIPPED, of_the_processor=QUICK[1:])
@pytest.mark.parametrize("half", [False, True])
def test_an_exported_inspector_answers_there_as_the_inspector_here(case, half):
    from torch.export.passes import move_to_device_pass

    device, backbone = case
    inspector = inspector_of(backbone)
    image = picture(3, (96, 112), flawed=True)
    expected, score = inspector.predict(image)
    inspector = replace(inspector, training=replace(inspector.training, threshold=0.9 * score))
    model = AnsweringModel(inspector, image.shape[:2], half)
    given = torch.from_numpy(image)
    with torch.no_grad(), full_precision(torch.device(device)):  # a card's TF32 is for who runs the file to decide on
        exported = torch.export.export(model, (given,), strict=False)
        answers = [
            model.to(device)(given.to(device)),
            move_to_device_pass(exported, device).module()(given.to(device)),
        ]
    for anomaly_map, found_score, is_flawed in answers:
        allowed = HALF if half else FULL
        np.testing.assert_allclose(anomaly_map.cpu().numpy(), expected, atol=allowed * score, rtol=1e-3)
        assert float(found_score) == pytest.approx(score, rel=allowed)
        assert bool(is_flawed)
