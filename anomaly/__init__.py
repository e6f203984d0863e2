"""Anomaly detection on inspected surfaces: features, the sequential coreset, Sequential PatchCore, metrics, reports."""

from typing import Any

__all__ = ["SequentialPatchcore"]


def __getattr__(name: str) -> Any:
    # anomalib takes seconds to import: only who asks for the model pays.
    if name == "SequentialPatchcore":
        from anomaly.patchcore.lightning_model import SequentialPatchcore

        return SequentialPatchcore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
