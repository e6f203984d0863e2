"""Evaluating one inspector of a study: the threshold, every figure, the counts by surface, and a few heat maps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from anomaly.backbone.patch_extractor import PatchExtractor
from anomaly.evaluation.metrics import Evaluator
from anomaly.evaluation.results import Metrics
from anomaly.inspection.inspector import Inspector
from anomaly.inspection.threshold import BEST_F1, found_threshold
from anomaly.studies.anomaly.counts import SurfaceCounter, SurfaceCounts
from anomaly.studies.engine.cache import CacheError
from scenes.formats.sample import Sample
from scenes.jobs.progress import Progress

FIGURES_FILE, COUNTS_FILE, HEAT_FILE = "figures.json", "counts.npz", "heat.npz"
HEAT_STEPS = 100  # of a stored heat map from 0 to the threshold; 255 at most

CACHE_LIMIT = 2 << 30  # bytes of features that are kept between the evaluations of one seed


class FeatureCache(nn.Module):
    """A backbone that sees every picture once: all inspectors of one seed are evaluated on the same pictures."""

    def __init__(self, extractor: PatchExtractor, limit: int = CACHE_LIMIT) -> None:
        super().__init__()
        self.extractor = extractor
        self.backbone, self.weights, self.pretrained = extractor.backbone, extractor.weights, extractor.pretrained
        self.channels, self.strides = extractor.channels, extractor.strides
        self._grids: dict[bytes, Tensor] = {}
        self._room = limit

    def weight_tensors(self) -> dict[str, Tensor]:
        """Those of the backbone itself."""
        return self.extractor.weight_tensors()

    def load_weights(self, tensors: Mapping[str, Tensor]) -> None:
        """Take them over and forget what was seen with others."""
        self.extractor.load_weights(tensors)
        self._grids.clear()

    def forward(self, images: Tensor) -> Tensor:
        key = hashlib.sha256(images.contiguous().numpy().tobytes() + bytes(str(tuple(images.shape)), "ascii")).digest()
        if key in self._grids:
            return self._grids[key]
        grid = self.extractor(images)
        if grid.nbytes <= self._room:
            self._grids[key] = grid
            self._room -= grid.nbytes
        return grid


@dataclass(frozen=True, eq=False)
class ScenarioEvaluation:
    """What evaluating left behind, read from its folder; heat: by sample's name, (H, W) in units of the threshold."""

    metrics: Metrics
    threshold_origin: str
    counts: SurfaceCounts
    heat: dict[str, NDArray[np.float32]]

    @classmethod
    def load(cls, folder: Path) -> ScenarioEvaluation:
        try:
            figures = json.loads((folder / FIGURES_FILE).read_text(encoding="utf-8"))
            with np.load(folder / HEAT_FILE, allow_pickle=False) as stored:
                maps = [stored[f"map_{k}"].astype(np.float32) / HEAT_STEPS for k in range(len(figures["shown"]))]
            return cls(
                Metrics.from_dict(figures["metrics"]),
                figures["threshold_origin"],
                SurfaceCounts.load(folder / COUNTS_FILE),
                dict(zip(figures["shown"], maps, strict=True)),
            )
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CacheError(
                f"{folder}: is incomplete or damaged ({reason}); remove it and run the study again"
            ) from error


def evaluate_bank(
    bank: Path,
    validation: Sequence[Sample],
    test: Sequence[Sample],
    shown: Sequence[Sample],
    out: Path,
    cache: FeatureCache,
    progress: Progress,
) -> None:
    """Evaluate the inspector in `bank` on `test`, at the threshold of best F1 on `validation`, and write to `out`.

    shown: those of `test` whose heat maps are kept. cache: of the backbone that the bank was made with.
    """
    inspector = Inspector.load(bank)
    inspector.model.extractor = cache
    threshold, origin = found_threshold(BEST_F1, inspector, validation, progress)[:2]
    evaluator, counter = Evaluator(threshold), SurfaceCounter(threshold)
    kept = {sample.name for sample in shown}
    maps = {}
    for done, sample in enumerate(test, 1):
        truth, valid_mask = sample.truth(), sample.valid_mask()
        anomaly_map, score = inspector.predict(sample.image(), valid_mask)
        evaluator.update(anomaly_map, truth, sample.label, score, valid_mask)
        counter.update(anomaly_map, truth, sample.label, sample.group, score, valid_mask)
        if sample.name in kept:
            # Rounded down: at the threshold and above, and only there, lie HEAT_STEPS and more.
            levels = np.floor(anomaly_map.astype(np.float64) / threshold * HEAT_STEPS + 1e-9)
            maps[sample.name] = levels.clip(0, 255).astype(np.uint8)
        progress("evaluating", done, len(test))
    counter.counts().save(out / COUNTS_FILE)
    np.savez_compressed(out / HEAT_FILE, **{f"map_{k}": levels for k, levels in enumerate(maps.values())})
    figures = {"metrics": evaluator.compute().as_dict(), "threshold_origin": origin, "shown": list(maps)}
    (out / FIGURES_FILE).write_text(json.dumps(figures, indent=1), encoding="utf-8")
