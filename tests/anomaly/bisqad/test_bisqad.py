"""BiSQAD as an inspector: trained, evaluated, exported by the commands, and refused where it has no bank."""

from pathlib import Path

import numpy as np
import pytest
import torch

from anomaly.backbone.derivative_filters import DerivativeFilters
from anomaly.bisqad.examples import CELLS, defective_shares, pieces_of, whole_grids
from anomaly.bisqad.model import BisqadModel
from anomaly.bisqad.train import Settings, fit, train_bisqad
from anomaly.deployment.answering_model import AnsweringModel
from anomaly.evaluation.results import read_results
from anomaly.inspection.computing import PROCESSOR, Computing
from anomaly.inspection.inspector import Inspector, InspectorError
from anomaly.inspection.view import View
from scenes.formats.registry import read_samples
from scenes.formats.sample import GOOD
from scenes.jobs.progress import untold
from tests.anomaly.conftest import folder_of_good
from tests.anomaly.weighting.test_weigh import frame, half_spoiled, real_set
from tests.command.told import Run, contents, runner

OPTIONS = ("--detector", "bisqad", "--backbone", "filters", "--steps", 60)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(monkeypatch, capsys)


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset every other frame of which lacks the defect that its mask marks, and a set without such frames."""
    folder = tmp_path_factory.mktemp("bisqad")
    half_spoiled(folder / "made")
    real_set(folder / "real", 8)
    return folder


def test_it_is_trained_evaluated_and_inspects_by_the_commands(there: Path, tmp_path: Path, run: Run) -> None:
    command = ("train", there / "made", *OPTIONS, "--weigh-by", there / "real")
    told = run(*command, "--threshold", "0.5", "--out", tmp_path / "first")
    assert told.code == 0, told
    assert "BiSQAD" in told.out
    assert run(*command, "--threshold", "0.5", "--out", tmp_path / "again").code == 0
    assert contents(tmp_path / "first") == contents(tmp_path / "again")
    told = run("evaluate", tmp_path / "first", there / "real", "--out", tmp_path / "seen")
    assert "trained on" in told.refusal()  # for these pictures taught the weights
    assert run("train", there / "made", *OPTIONS, "--threshold", "0.5", "--out", tmp_path / "plain").code == 0
    assert run("evaluate", tmp_path / "plain", there / "real", "--out", tmp_path / "results").code == 0
    found = read_results(tmp_path / "results")
    assert (found.inspector.detector, found.inspector.bank_rows) == ("BiSQAD", 0)
    assert found.metrics.pixel_auroc is not None
    assert found.metrics.pixel_auroc > 0.9
    report = (tmp_path / "results" / "report.html").read_text()
    assert "BiSQAD" in report
    assert "Memory bank" not in report


def test_it_finds_what_the_masks_mark_and_nothing_where_nothing_is(there: Path, tmp_path: Path) -> None:
    samples = [sample for sample in read_samples(there / "real") if sample.split != "train"]
    settings = Settings(steps=150)
    inspector = train_bisqad(samples, tmp_path / "out", settings=settings, backbone="filters")
    loaded = Inspector.load(tmp_path / "out")
    flawed, disc = frame(901, spoiled=False)
    good, _ = frame(902, spoiled=True)
    pictures = [np.repeat(each[..., None], 3, axis=2) for each in (flawed, good)]
    (found, high), (_, low) = (inspector.predict(picture) for picture in pictures)
    assert high > 2 * low
    assert found[disc].mean() > 5 * found[~disc].mean()
    assert np.array_equal(loaded.predict(pictures[0])[0], found)
    told = AnsweringModel(loaded.with_threshold(high, "here"), found.shape)(torch.from_numpy(pictures[0]))
    np.testing.assert_allclose(told[0].numpy(), found, atol=1e-4)  # what exported files answer
    again = train_bisqad(samples, tmp_path / "out", settings=settings, backbone="filters")
    assert again.training == loaded.training
    with pytest.raises(InspectorError, match="other settings"):
        train_bisqad(samples, tmp_path / "out", settings=Settings(steps=151), backbone="filters")


def test_weights_of_nearly_nothing_are_as_if_pictures_were_not_there(there: Path) -> None:
    """The loss of a piece that weighs 0 has no slope: a head that learnt it too is the same."""
    samples = [sample for sample in read_samples(there / "made") if sample.label != GOOD]
    model = BisqadModel(DerivativeFilters())
    pieces = pieces_of(samples, model, 1.0, PROCESSOR, 0, False, untold)
    heads = []
    for spoiled in (0.0, 5.0):
        truth = pieces.flawed.truth.clone()
        truth[::2] = (truth[::2] + spoiled).clamp(max=1)
        weights = torch.ones(len(truth))
        weights[::2] = 0
        changed = type(pieces)(type(pieces.flawed)(pieces.flawed.features, truth), weights, (), pieces.good)
        fit(model, changed, None, Settings(steps=5), untold)
        heads.append({name: value.clone() for name, value in model.tensors().items()})
    assert all(torch.equal(heads[0][name], heads[1][name]) for name in heads[0])


def test_commands_of_banks_say_that_it_has_none(there: Path, tmp_path: Path, run: Run) -> None:
    inspector = tmp_path / "inspector"
    assert run("train", there / "made", *OPTIONS, "--threshold", "0.5", "--out", inspector).code == 0
    no = ("--out", tmp_path / "no")
    for command in (
        ("meld", inspector, inspector, *no),
        ("bank", inspector, "--size", 4, *no),
        ("train", there / "made", "--start", inspector, *no),
    ):
        assert "is a BiSQAD" in run(*command).refusal()
    assert "--epochs" in run("train", there / "made", *OPTIONS, "--epochs", 3, *no).refusal()
    assert "--detector bisqad" in run("train", there / "made", "--steps", 3, *no).refusal()
    good = ("train", folder_of_good(tmp_path / "good", (90, 120), 3), *OPTIONS, *no)
    assert "shows a defect" in run(*good).refusal()
    assert "--validation" in run("train", there / "made", *OPTIONS, "--threshold", "good:5%", *no).refusal()
    told = run("bank", inspector)
    assert "BiSQAD" in told.out
    assert run("bank", inspector, "--threshold", "0.25", "--out", tmp_path / "lower").code == 0
    assert Inspector.load(tmp_path / "lower").training.threshold == 0.25


def test_shares_are_the_means_of_each_patch() -> None:
    random = np.random.default_rng(0)
    image, defect = np.zeros((50, 36, 3), np.uint8), random.random((50, 36)) < 0.3
    view = View.of((image, None), 1.0, None)
    shares = defective_shares(defect, view, 8)[0].numpy()
    assert shares.shape == (7, 5)
    for row in range(7):
        for column in range(5):
            patch = defect[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
            assert shares[row, column] == pytest.approx(patch.mean(), abs=1e-6)


def test_pieces_show_the_defects_and_grids_are_the_same_in_tiles(there: Path) -> None:
    samples = [sample for sample in read_samples(there / "made") if sample.label != GOOD]
    model = BisqadModel(DerivativeFilters())
    pieces = pieces_of(samples, model, 1.0, PROCESSOR, 0, True, untold)
    assert pieces.flawed.features.shape == (len(samples), model.extractor.channels, CELLS, CELLS)
    assert len(pieces.windows) == len(samples)
    assert (pieces.flawed.truth.flatten(1).amax(dim=1) > 0.3).all()
    picture = np.random.default_rng(1).integers(0, 255, (1200, 700, 3)).astype(np.uint8)
    whole, tiled = (
        next(whole_grids(iter([(picture, None)]), model, 1.0, Computing(tile=tile)))[1] for tile in (None, 640)
    )
    assert torch.allclose(whole, tiled, atol=1e-5)
