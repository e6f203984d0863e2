"""Whatever is changed in an evaluation is noticed."""

import numpy as np
import pytest

from anomaly.evaluation.metrics import Evaluator
from anomaly.evaluation.results import InspectorRecord, ResultsError, ResultsWriter, read_results
from anomaly.evaluation.verify import damages, repair
from scenes.formats.registry import read_samples
from scenes.formats.sample import Sample
from tests.anomaly.conftest import folder_of_good


def test_flipped_bits_of_an_evaluation_are_noticed(tmp_path):
    samples: list[Sample] = read_samples(folder_of_good(tmp_path / "set", (90, 120), 0))
    evaluator, writer = Evaluator(1.0), ResultsWriter(tmp_path / "e")
    rng = np.random.default_rng(0)
    for sample in samples:
        heat = rng.random((64, 80)).astype(np.float32)
        evaluator.update(heat, sample.truth(), sample.label)
        writer.add(sample, 0.5, heat, sample.truth())
    inspector = InspectorRecord("embedded", False, "its own", 10, 20, ("set",), 0)
    record = writer.finish(
        evaluator.compute(), inspector, command="", evaluated_on=(), threshold_origin="", versions={}
    )
    assert not list(damages(tmp_path / "e"))
    assert read_results(tmp_path / "e") == record
    reading = {"image": record.picture, "map": record.anomaly_map, "truth": record.truth}
    for name, path in {name: tmp_path / "e" / getattr(record.samples[1], name) for name in reading}.items():
        whole = path.read_bytes()
        for bit in rng.integers(0, 8 * len(whole), 5):
            changed = bytearray(whole)
            changed[bit // 8] ^= 1 << bit % 8
            path.write_bytes(changed)
            with pytest.raises(ResultsError, match="was changed or damaged"):
                reading[name](record.samples[1])
            assert [str(path) in damage for damage in damages(tmp_path / "e")] == [True]
        path.write_bytes(whole)
    path = tmp_path / "e" / "results.json"
    whole = path.read_bytes()
    for bit in rng.integers(0, 8 * len(whole), 100):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        assert [str(path) in damage for damage in damages(tmp_path / "e")] == [True]
    assert "run it again" in repair(tmp_path / "e")
