"""The steps of a study of inspectors, and the code and libraries that decide their results."""

from __future__ import annotations

from anomaly.studies.engine.cache import READING, StepKind

SEEING = ("backbone/patch_extractor", "backbone/normalisation")  # a backbone's own module is in `class_digest`
INSPECTING = (
    "inspection/inspector", "inspection/computing", "inspection/tiles", "inspection/view", "inspection/regions",
    "inspection/verdict", "inspection/predicting", "backbone/resampling", "backbone/patch_scorer",
    "bisqad/model", "weighting/bilevel",
)  # fmt: skip

BANKS = StepKind(
    "banks",
    code=(
        "inspection/augmentation", "patchcore/coreset", *SEEING, *INSPECTING,
        "patchcore/nearest_row", "patchcore/boundary_patches", "patchcore/distance_bounds", *READING,
        "studies/anomaly/banks", "patchcore/torch_model", "inspection/train", "inspection/filling",
        "inspection/maintenance", "inspection/pixel_size",
    ),
    libraries=("numpy", "pillow", "timm", "torch"),
)  # fmt: skip
EVALUATIONS = StepKind(
    "evaluations",
    code=(
        "patchcore/coreset", "inspection/threshold", *SEEING, *INSPECTING, "evaluation/metrics",
        "patchcore/nearest_row", "patchcore/boundary_patches", "patchcore/distance_bounds", *READING,
        "studies/anomaly/evaluation", "studies/anomaly/counts", "patchcore/torch_model",
    ),
    libraries=("numpy", "pillow", "scikit-image", "timm", "torch", "torchmetrics"),
)  # fmt: skip
