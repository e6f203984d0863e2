"""Inspectors and evaluations."""

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz.datasets import SEALED, with_seal
from tests.fuzz.target import JSON_TOKENS, Target, Tree


def banks(folder: Path) -> list[bytes]:
    import timm  # which is asked for names of backbones that nobody knows; importing it takes seconds
    import torch

    from anomaly.backbone.patch_extractor import FILTERS, patch_extractor
    from anomaly.inspection.inspector import BANK_FILE, Inspector, PixelSize, TrainingRecord
    from anomaly.inspection.regions import Regions
    from anomaly.patchcore.torch_model import SequentialPatchcoreModel

    assert timm.list_models()
    model = SequentialPatchcoreModel(patch_extractor(FILTERS), 4)
    model.update(torch.from_numpy(np.random.default_rng(0).random((2, 3, 32, 32), dtype=np.float32)), sources=[1, 2])
    record = TrainingRecord(
        FILTERS, False, "none", 4, 1, 1.0, 0, ("a",), ("b",), "c", sources={"01": "a.png"}, accepted=(4,)
    )
    Inspector(model, record).save(folder)
    plain = (folder / BANK_FILE).read_bytes()
    levels = np.full((16, 16), 128, np.uint8)
    levels[:4], levels[8:] = 0, 255
    regions = Regions(levels).with_thresholds({128: 0.5})
    known = replace(record, good_scores=(0.5, 1.5), calibration=(0.5, 1.5), pixel_size=PixelSize(0.001, 16, 16))
    Inspector(model, replace(known, threshold=1.0, threshold_origin="given")).with_regions(regions).save(folder)
    return [plain, (folder / BANK_FILE).read_bytes()]


def bank_tree(content: bytes) -> Any:
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return {**header, "__metadata__": {"blemish": json.loads(header["__metadata__"]["blemish"])}}


def bank_bytes(sound: bytes, tree: Any) -> bytes:
    with suppress(KeyError, TypeError):  # of a header that is spoilt as it is
        tree = {**tree, "__metadata__": {"blemish": json.dumps(tree["__metadata__"]["blemish"])}}
    text = json.dumps(tree).encode()
    changed = len(text).to_bytes(8, "little") + text + sound[8 + int.from_bytes(sound[:8], "little") :]
    return with_digest(changed)


def with_digest(content: bytes) -> bytes:
    """A bank with the digest that it ought to have, if it is one that can be read."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    from anomaly.inspection.inspector import _digest

    try:
        tensors = load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        described = json.loads(header["__metadata__"]["blemish"])
        described.pop("sha256", None)
        sealed = json.dumps({**described, "sha256": _digest(tensors, described)})
        header["__metadata__"] = {"blemish": sealed}
    except (SafetensorError, ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError):
        return content
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + int.from_bytes(content[:8], "little") :]


def read_bank(path: Path) -> object:
    from anomaly.inspection.inspector import Inspector

    inspector = Inspector.load(path.parent)
    return inspector.predict(np.zeros((16, 16, 3), np.uint8)), inspector.known_sources


def inspections(folder: Path) -> list[bytes]:
    """Verdicts of three pictures: a good one, a flawed one, and one that could not be read."""
    from scenes.datasets.files import sealed

    (folder / "inspection.json").write_bytes(sealed({"threshold": 1.0}))
    place = {"box": [1, 2, 3, 4], "peak": 2.0, "peak_at": [1, 2], "area_pixels": 9, "length_pixels": 4.0}
    place |= {"width_pixels": 3.0, "area_mm2": 0.09, "length_mm": 0.4, "width_mm": 0.3}
    common = {"score": 2.0, "threshold": 1.0, "drift": {"evidence": 0.9, "is_found": False}}
    lines = [
        {"number": 0, "picture": "a.png", "sha256": "0", "verdict": "good", **common, "found": []},
        {"number": 1, "picture": "b.png", "sha256": "1", "verdict": "flawed", **common, "found": [place]},
        {"number": 2, "picture": "c.png", "sha256": "2", "verdict": "unreadable", "error": "is empty"},
    ]
    return [lines_of_verdicts(b"", lines)]


def verdict_tree(content: bytes) -> Any:
    return [{key: value for key, value in json.loads(line).items() if key != "seal"} for line in content.splitlines()]


def lines_of_verdicts(_: bytes, lines: Any) -> bytes:
    return with_seals(b"".join(json.dumps(line).encode() + b"\n" for line in lines))


def with_seals(content: bytes) -> bytes:
    """Lines with the seals that they ought to have."""
    from anomaly.line.verdict_file import SEAL, line_digest

    sealed, before = b"", ""
    for line in content.split(b"\n")[:-1]:
        bare = line.rpartition(b', "seal": ')[0] or line.removesuffix(b"}")
        before = line_digest(bare, before)
        sealed += bare + SEAL % before.encode()
    return sealed


def read_inspection(path: Path) -> object:
    from anomaly.line.inspection import summary_of
    from anomaly.line.verdict_file import VerdictFile
    from anomaly.line.verify import damages
    from anomaly.reporting.inspection_page import write_inspection_page

    lines = VerdictFile(path.parent, {"threshold": 1.0}).lines
    page = write_inspection_page(
        path.parent / "inspection.html", lines, summary=summary_of(lines).described, threshold=1.0,
        threshold_origin="given", inspector={}, drift="none", is_drifted=False, alarm=100.0, notes=(), command="",
    )  # fmt: skip
    return page, list(damages(path.parent))


def evaluations(folder: Path) -> list[bytes]:
    """One of two pictures, a flawed one and a good one."""
    from anomaly.evaluation.metrics import Evaluator
    from anomaly.evaluation.results import InspectorRecord, ResultsWriter
    from scenes.formats.sample import Sample
    from scenes.formats.truth import DefectInstance, Truth

    rng = np.random.default_rng(0)
    evaluator, writer = Evaluator(0.5), ResultsWriter(folder)
    for label in ("good", "crack"):
        mask = np.zeros((9, 11), bool)
        mask[2:5, 3:7] = label != "good"
        truth = Truth(mask, (DefectInstance("crack", "defect", mask),) * bool(mask.any()))
        anomaly_map = rng.random(mask.shape) * 0.4 + mask
        evaluator.update(anomaly_map, truth, label)
        image = rng.integers(0, 255, (*mask.shape, 3), dtype=np.uint8)
        writer.add(Sample(label, label, label, folder / "a.png"), 1.0, anomaly_map, truth, image)
    inspector = InspectorRecord("filters", False, "none", 4, 12, ("a",), 0, {"epochs": "3"})
    writer.finish(
        evaluator.compute(), inspector, command="blemish evaluate", evaluated_on=("a",), threshold_origin="given",
        versions={"blemish": "1"},
    )  # fmt: skip
    return [(folder / "results.json").read_bytes()]


def read_evaluation(path: Path) -> object:
    from anomaly.evaluation.results import read_results
    from anomaly.reporting.report import write_report

    record = read_results(path.parent)
    for sample in record.samples:
        record.picture(sample), record.anomaly_map(sample), record.truth(sample)
    return write_report(path.parent / "page/report.html", datasets=(), evaluation=record, command="")


TARGETS = (
    Target(
        "bank", "bank.safetensors", banks, read_bank, JSON_TOKENS, Tree(bank_tree, bank_bytes), with_digest,
        instrumented=("anomaly.inspection", "anomaly.patchcore"),
    ),
    Target(
        "verdicts", "verdicts.jsonl", inspections, read_inspection, JSON_TOKENS,
        Tree(verdict_tree, lines_of_verdicts), with_seals,
        instrumented=("anomaly.line", "anomaly.reporting"),
    ),
    Target(
        "results", "results.json", evaluations, read_evaluation, JSON_TOKENS, SEALED, with_seal,
        instrumented=("anomaly.evaluation", "anomaly.reporting"),
    ),
)  # fmt: skip
