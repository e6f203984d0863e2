"""Pictures on disk against the same pictures in memory: maps, verdicts, figures and files are the same to the bit."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from anomaly.evaluation.metrics import Evaluator
from anomaly.evaluation.results import ResultsWriter
from anomaly.inspection import tiles
from anomaly.inspection.computing import Computing
from anomaly.inspection.regions import Regions
from anomaly.inspection.tiles import enlarged
from anomaly.inspection.verdict import verdict_of
from scenes.formats.sample import Sample
from scenes.formats.truth import banded_components
from scenes.pictures import on_disk
from scenes.pictures.on_disk import ArrayOnDisk
from tests.anomaly.inspection.test_tiles import inspector_of, surface

SHAPE = (500, 290)


def on(disk, array):
    there = ArrayOnDisk(array.shape, array.dtype, disk)
    there[:] = array
    return there


@pytest.fixture(scope="module")
def seen():
    """A picture with a flaw, and where it shows the surface."""
    image, mask = surface(*SHAPE, 2), np.ones(SHAPE, bool)
    image[100:120, 30:200], mask[200:260, :80] = 255, False
    return image, mask


@pytest.mark.parametrize("height", [41, 700])
def test_maps_are_enlarged_as_torch_enlarges_the_whole(height, tmp_path, monkeypatch):
    monkeypatch.setattr(tiles, "AT_ONCE", 3000)
    values = np.random.default_rng(0).random((97, 61), np.float32)
    onto = ArrayOnDisk((height, 233), np.float32, tmp_path)
    enlarged(values, onto)
    whole = functional.interpolate(torch.from_numpy(values)[None, None], onto.shape, mode="bilinear")
    np.testing.assert_array_equal(onto[:], whole[0, 0].numpy())


@pytest.mark.parametrize("scale", [1.0, 0.9])
@pytest.mark.parametrize("side", [None, 448])  # the latter are eight tiles
@pytest.mark.parametrize("has_regions", [False, True])
def test_map_and_verdict_are_those_of_a_picture_in_memory(scale, side, has_regions, seen, tmp_path):
    inspector = inspector_of("filters", scale).on(Computing(tile=side))
    image, mask = seen
    if has_regions:
        levels = np.ones(SHAPE, np.uint8)
        levels[:, 150:], levels[:20] = 2, 0
        inspector = inspector.with_threshold(1.0, "given").with_regions(Regions(levels, {2: 0.5}))
    for valid_mask in (None, mask):
        there = on(tmp_path, image), None if valid_mask is None else on(tmp_path, valid_mask)
        (_, looked_at), anomaly_map, score = next(inspector.predict_each([there]))
        expected, expected_score = inspector.predict(image, valid_mask)
        assert isinstance(anomaly_map, ArrayOnDisk)
        assert isinstance(looked_at, ArrayOnDisk | None)
        np.testing.assert_array_equal(anomaly_map[:], expected)
        assert score == expected_score == expected.max()
        threshold = float(np.quantile(expected, 0.9))
        found, wanted = (verdict_of(one, threshold, smallest=5) for one in (anomaly_map, expected))
        assert found.findings == wanted.findings != ()
        assert found.score == wanted.score
        np.testing.assert_array_equal(found.mask[:], wanted.mask)


def test_figures_and_files_are_those_of_a_map_in_memory(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    anomaly_map, valid_mask = rng.random(SHAPE, np.float32), rng.random(SHAPE) < 0.9
    marked = (anomaly_map + rng.normal(0, 0.3, SHAPE) > 1.2).astype(np.uint8)
    anomaly_map[:9, :9] = 5
    figures, files = [], []
    for name, lies in (("here", lambda array: array), ("there", lambda array: on(tmp_path, array))):
        evaluator = Evaluator(0.8, smallest=3)
        truth = banded_components(lies(marked), {None: "scratch"})
        for defects, label in ((truth, "scratch"), (banded_components(lies(0 * marked), {}), "good")):
            for mask in (None, valid_mask):
                evaluator.update(lies(anomaly_map), defects, label, None, None if mask is None else lies(mask))
        figures.append(evaluator.compute())
        sample = Sample("a", "a", "scratch", tmp_path / "a.png")
        monkeypatch.setattr(on_disk, "LARGE", 1 if name == "there" else SHAPE[0] * SHAPE[1] + 1)
        with ResultsWriter(tmp_path / name) as writer:
            record = writer.add(sample, 5.0, lies(anomaly_map), truth, np.zeros((9, 9, 3), np.uint8))
            pictures = tmp_path / name / ".unfinished" / "pictures"
            files.append([np.asarray(Image.open(pictures / path)) for path in (record.map, record.truth)])
    assert figures[0] == figures[1]
    for here, there in zip(*files, strict=True):
        np.testing.assert_array_equal(here, there)


PEAK = """
import json, re, sys
from dataclasses import replace
import numpy as np
from PIL import Image
from pathlib import Path
import torch
torch.set_num_threads(1)
from anomaly.evaluation.results import REPORT
from anomaly.inspection.evaluate import evaluate_inspector
from anomaly.inspection.inspector import Inspector
from anomaly.line.inspection import Inspection, inspected
from anomaly.line.sources import picture_file
from anomaly.line.verdict_file import VerdictFile
from anomaly.reporting.report import write_report
from scenes.formats.registry import read_samples
from scenes.pictures.reading import ReadingOptions
from tests.anomaly.inspection.test_tiles import inspector_of
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024
def inspects(photos, out):
    out.mkdir()
    picture = picture_file(photos / "test/scratch/0.png", "", ReadingOptions(), out)
    (line,) = inspected(Inspection(reduced, 5.0), [picture], VerdictFile(out, {}), None)
    assert line["height"] == side, line
def evaluates(photos, out):
    record = evaluate_inspector(reduced.with_threshold(5.0, "given"), read_samples(photos), None, out)
    assert record.metrics.classes["scratch"].instances == 2
    write_report(out / REPORT, datasets=[photos], evaluation=record, command="")
work, folder, sides, found = globals()[sys.argv[1]], Path(sys.argv[2]), [int(side) for side in sys.argv[3:]], []
inspector = inspector_of("filters", 0.1, 2)
for side in set(sides):
    rows = np.random.default_rng(0).integers(100, 110, (100, side, 3), np.uint8)
    image, mask = np.concatenate([rows] * (side // 100)), np.zeros((side, side), np.uint8)
    mask[50:90, 100:400] = mask[side - 90 : side - 50, 100:400] = 255
    for name, content in (("test/good", image), ("ground_truth/scratch", mask), ("test/scratch", image)):
        (folder / f"{side}" / name).mkdir(parents=True)
        if name == "test/scratch":
            image[mask > 0] = 255
        path = folder / f"{side}" / name / ("0_mask.png" if content is mask else "0.png")
        Image.fromarray(content).save(path, compress_level=1)
    del rows, image, mask, content
for number, side in enumerate(sides):
    reduced = Inspector(inspector.model, replace(inspector.training, scale=330 / side))
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = peak()
    work(folder / f"{side}", folder / f"out{number}")
    found.append(peak() - before)
print(json.dumps(found))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the peak of memory")
@pytest.mark.parametrize("work", ["inspects", "evaluates"])
def test_large_pictures_take_no_memory_for_each_pixel(work, tmp_path):
    command = [sys.executable, "-c", PEAK, work, str(tmp_path), "2200", "2200", "6600"]
    run = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    *_, larger = json.loads(run.stdout)
    # Of whole rows there are bands alone, and of rows as long as the reduced picture's all. In memory the picture would
    # take 125 MiB, its map 166.
    assert larger < 110
