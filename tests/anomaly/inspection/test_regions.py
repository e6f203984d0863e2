"""An inspector that looks at a part of every picture: what it learns, finds and keeps."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import typer
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from typer.testing import CliRunner

from anomaly import cli
from anomaly.inspection.evaluate import evaluate_inspector
from anomaly.inspection.inspector import Inspector, InspectorError
from anomaly.inspection.maintenance import melded
from anomaly.inspection.regions import Regions, distinct
from anomaly.inspection.threshold import ThresholdRule
from anomaly.inspection.train import train_inspector
from scenes.formats.sample import Sample

SETTINGS = {"backbone": "filters", "size": 80, "epochs": 2}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """24 surfaces: quiet on the left, noisy on the right, and below both a strip of something else each time."""
    root = tmp_path_factory.mktemp("parts")
    rng = np.random.default_rng(0)
    samples = []
    for index in range(24):
        picture = rng.normal(120, 3, (64, 96, 3))
        picture[:, 48:] = rng.normal(120, 25, (64, 48, 3))
        picture[48:] = rng.integers(0, 255) + rng.normal(0, 60, (16, 96, 3))
        path = root / f"{index}.png"
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(path)
        samples.append(Sample(path.name, path.name, "good", path))
    return samples


@pytest.fixture(scope="module")
def levels():
    levels = np.zeros((64, 96), np.uint8)
    levels[:44, :48], levels[:44, 48:] = 100, 200
    return levels


@pytest.fixture(scope="module")
def trained(good, levels, tmp_path_factory):
    out = tmp_path_factory.mktemp("inspector") / "inspector"
    train_inspector(
        good[:12],
        out,
        **SETTINGS,
        regions=Regions(levels),
        validation=good[12:],
        threshold=ThresholdRule(risk=0.1),
        region_thresholds={100: ThresholdRule(risk=0.1)},
    )
    return out


def test_what_lies_outside_is_neither_learnt_nor_found(good, levels, trained):
    inspector = Inspector.load(trained)
    changed = good[0].image().copy()
    changed[52:] = 255 - changed[52:]  # the backbone sees farther than a pixel, so not up to the border
    anomaly_map, _ = inspector.predict(good[0].image())
    assert (anomaly_map[levels == 0] == 0).all()
    np.testing.assert_allclose(inspector.predict(changed)[0][:8], anomaly_map[:8], atol=1e-4)
    wide = train_inspector(good[:12], trained.parent / "wide", **SETTINGS)
    rows = {row.tobytes() for row in inspector.model.memory_bank.numpy()}
    assert rows != {row.tobytes() for row in wide.model.memory_bank.numpy()}


def test_each_region_has_the_threshold_of_its_own_good_surfaces(good, levels, trained):
    """The quiet side would allow 1 flaw in 10 at its own values, which lie far below those of the noisy side."""
    inspector = Inspector.load(trained)
    raw = replace(inspector, training=replace(inspector.training, region_thresholds={}))
    quiet = sorted(float(raw.predict(s.image())[0][levels == 100].max()) for s in good[12:])
    noisy = sorted(float(raw.predict(s.image())[0][levels == 200].max()) for s in good[12:])
    assert inspector.training.region_thresholds[100] == pytest.approx(np.nextafter(np.float32(quiet[11]), np.inf))
    assert inspector.training.threshold == pytest.approx(np.nextafter(np.float32(noisy[11]), np.inf))
    assert not any(inspector.inspect(sample.image_path).is_flawed for sample in good[12:])
    scores = sorted(inspector.predict(sample.image())[1] for sample in good[12:])
    np.testing.assert_allclose(inspector.training.calibration, scores, rtol=1e-6)
    np.testing.assert_allclose(inspector.training.good_scores, scores, rtol=1e-6)


def test_evaluation_counts_pixels_of_what_is_looked_at_alone(good, trained, tmp_path):
    """With a threshold below every value all that is looked at is predicted: half of it is defective."""
    fresh = [replace(s, group=f"new {s.group}", label="flawed", annotation=Half()) for s in good[12:14]]
    record = evaluate_inspector(trained, fresh, None, tmp_path, threshold=ThresholdRule(value=1e-9))
    assert record.metrics.pixel_recall == 1
    assert record.metrics.pixel_precision == pytest.approx(12 / 44)


class Half:
    """Truth that calls all below the middle a defect."""

    def read(self, shape, image_path, folder=None):
        from scenes.formats.truth import DefectInstance, Truth

        mask = np.zeros(shape, bool)
        mask[32:] = True
        return Truth(mask, (DefectInstance("strip", "defect", mask),))

    def files(self):
        return ()


def test_a_picture_of_another_size_is_refused_by_name(trained):
    with pytest.raises(Exception, match="80 x 64 pixels, but where to look was drawn on one of 96 x 64"):
        Inspector.load(trained).inspect(np.zeros((64, 80, 3), np.uint8))


def test_banks_with_the_same_regions_are_melded_and_others_refused(trained):
    inspector = Inspector.load(trained)
    both = melded([inspector, inspector])
    assert both.regions.numbers == (100, 200)
    assert both.training.threshold is None
    assert not both.training.region_thresholds
    with pytest.raises(InspectorError, match="looks at other regions"):
        melded([inspector, inspector.with_regions(None)])


def test_command_gives_regions_and_their_thresholds_and_takes_them_away(good, levels, trained, tmp_path):
    app = typer.Typer()
    cli.register(app)
    Image.fromarray(levels).save(tmp_path / "look.png")

    def run(*arguments):
        return CliRunner().invoke(app, ["bank", str(trained), *map(str, arguments)])

    result = run("--look", tmp_path / "look.png", "--threshold", "2.5", "--region", "100=1.25", "--out", tmp_path / "a")
    assert result.exit_code == 0, result.output
    assert "region 100 from 1.25, region 200 from 2.5" in result.output
    loaded = Inspector.load(tmp_path / "a")
    assert (loaded.levels == levels).all()
    assert loaded.training.region_thresholds == {100: 1.25}
    result = run("--look", "everywhere", "--out", tmp_path / "b")
    assert Inspector.load(tmp_path / "b").regions is None
    assert torch.equal(Inspector.load(tmp_path / "b").model.memory_bank, loaded.model.memory_bank)
    assert "expected LEVEL=THRESHOLD" in str(
        run("--threshold", "2", "--region", "7", "--out", tmp_path / "c").exception
    )


@given(arrays(st.sampled_from([np.uint8, np.uint16, np.int32]), st.tuples(st.integers(1, 6), st.integers(1, 6))))
def test_distinct_values_are_those_of_a_sort(values):
    assert np.array_equal(distinct(values), np.unique(values))


@given(st.integers(0, 2**32 - 1), st.sampled_from([None, 0.0, 0.3, 2.0]))
def test_a_scaled_map_crosses_the_threshold_where_regions_cross_their_own(seed, threshold):
    rng = np.random.default_rng(seed)
    levels, anomaly_map = rng.integers(0, 4, (9, 7)).astype(np.uint8), rng.random((9, 7), np.float32)
    levels[0, :4] = range(4)
    own = {1: 0.5, 3: float(rng.uniform(0.1, 0.9))}
    scaled = Regions(levels).with_thresholds(own).scaled(anomaly_map, threshold)
    for level, found, value in zip(levels.flat, scaled.flat, anomaly_map.flat, strict=True):
        if level == 0:
            assert found == 0
        elif level not in own or threshold is None:
            assert found == value
        else:
            assert (found >= np.float32(threshold)) == (value >= np.float32(own[level]))
            if threshold > 0:
                assert found == pytest.approx(value * threshold / own[level], rel=1e-5)
