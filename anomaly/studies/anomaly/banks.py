"""Making the banks of a study: trained on pictures, gone on with on others, or melded from several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomaly.backbone.patch_extractor import BACKBONE, PatchExtractor, patch_extractor, same_weights, weights_digest
from anomaly.inspection.augmentation import Augmentation
from anomaly.inspection.inspector import Inspector, InspectorError
from anomaly.inspection.maintenance import melded
from anomaly.inspection.train import LONGEST_SIDE, train_inspector
from anomaly.studies.engine.cache import class_digest
from scenes.formats.sample import Sample
from scenes.jobs.progress import Progress


@dataclass(frozen=True)
class BankSettings:
    """How every bank of one seed is made; scale: working pixels per picture pixel, one for all pictures."""

    size: int
    epochs: int
    seed: int
    scale: float
    backbone: str | None
    pretrained: bool
    weights: Path | None

    @property
    def extractor(self) -> PatchExtractor:
        """What the pictures are seen with. Raises BackboneError."""
        return patch_extractor(
            self.backbone or BACKBONE, pretrained=self.pretrained, weights=self.weights, seed=self.seed
        )


def depends_on(settings: BankSettings, extractor: PatchExtractor) -> dict[str, Any]:
    """All that decides a bank besides the pictures, as JSON values; the backbone by its weights."""
    named = {name: getattr(settings, name) for name in ("size", "epochs", "seed", "scale")}
    backbone = {
        "backbone": extractor.backbone,
        "weights": weights_digest(extractor),
        "code": class_digest(type(extractor)),
    }
    return {**named, **backbone}


def scale_for(samples: Sequence[Sample], image_size: int | None) -> float:
    """The scale at which the longest side of the largest picture is `image_size`, by default at most 640, pixels."""
    longest = _longest(samples)
    return min(1.0, LONGEST_SIDE / longest) if image_size is None else image_size / longest


def train(
    settings: BankSettings,
    samples: Sequence[Sample],
    out: Path,
    *,
    augmentation: Augmentation | None,
    start: Path | None,
    name: str,
    extractor: PatchExtractor,
    progress: Progress,
) -> None:
    """Train a bank of its own, or go on with the one in `start` (fine-tuning), and write the inspector to `out`.

    extractor: what the bank's key says that its pictures are seen with. Raises InspectorError where that has changed.
    """
    own: dict[str, Any] = {}
    if start is None:
        # One scale for all sets, whichever picture is the largest of each.
        own = {"image_size": round(settings.scale * _longest(samples)), "backbone": settings.backbone or BACKBONE}
        own |= {"pretrained": settings.pretrained, "weights": settings.weights}
    inspector = train_inspector(
        samples,
        out,
        start=start,
        size=settings.size,
        epochs=settings.epochs,
        seed=settings.seed,
        augmentation=augmentation,
        trained_on=(name,),
        progress=progress,
        **own,
    )
    refuse_other_weights(inspector, extractor, out)


def refuse_other_weights(inspector: Inspector, extractor: PatchExtractor, folder: Path) -> None:
    """Raise InspectorError where an inspector sees with other weights: their file was replaced while a study ran."""
    if not same_weights(inspector.model.extractor, extractor):
        raise InspectorError(
            f"{folder}: the backbone's weights are not those that the study began with; "
            "remove it and run the study again"
        )


def meld(banks: Sequence[Path], size: int, out: Path) -> None:
    """Meld banks into one of so many rows, and write the inspector to `out`."""
    melded([Inspector.load(bank) for bank in banks], size).save(out)


def _longest(samples: Sequence[Sample]) -> int:
    return max(max(sample.shape()) for sample in samples)
