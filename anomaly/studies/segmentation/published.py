"""Tables of papers on what synthesis is worth to segmentation."""

from __future__ import annotations

from anomaly.studies.engine.task import PublishedTable

_RECOMPUTED = (
    "Means over the fifteen categories of the paper's own rows; it prints 74.53 / 84.08 for SARD and 60.52 / 67.27 for "
    "DDGAN with SegFormer, and 70.57 / 80.39 for SARD with BiSeNet V2, which are not their means."
)

TABLES = (
    PublishedTable(
        "Means over MVTec AD's fifteen categories",
        "Wang 2025",
        ("SegFormer mIoU", "SegFormer Acc", "BiSeNet V2 mIoU", "BiSeNet V2 Acc"),
        {
            "CutPaste": (0.5587, 0.6381, 0.4623, 0.5730),
            "DRAEM": (0.6686, 0.7475, 0.5928, 0.6791),
            "GLASS": (0.5623, 0.6144, 0.4495, 0.5245),
            "RealNet": (0.6289, 0.7170, 0.5072, 0.5724),
            "DFMGAN": (0.6771, 0.7207, 0.5792, 0.6348),
            "AnomalyDiffusion": (0.6288, 0.7206, 0.5302, 0.6709),
            "DDGAN": (0.6199, 0.6859, 0.5302, 0.6017),
            "SARD": (0.7583, 0.8365, 0.7069, 0.8048),
        },
        _RECOMPUTED,
    ),
    PublishedTable(
        "Re-labelling, carbide inserts",
        "Jo 2025",
        ("Fast-SCNN mIoU", "Fast-SCNN mAcc", "MobileNetV3 mIoU", "MobileNetV3 mAcc"),
        {
            "original": (0.26125, 0.35705, 0.38865, 0.58585),
            "without re-labelling": (0.2907, 0.42105, 0.40185, 0.5491),
            "with re-labelling": (0.3026, 0.58525, 0.469, 0.682),
        },
    ),
    PublishedTable(
        "Losses, carbide inserts without synthetic pictures",
        "Jo 2025",
        ("mIoU", "mAcc"),
        {
            "focal": (0.33335, 0.4868),
            "tversky": (0.3027, 0.4203),
            "cross_entropy": (0.2369, 0.26155),
            "dice": (0.2228, 0.30295),
            "focal+tversky": (0.2271, 0.59775),
            "dice+cross_entropy": (0.19245, 0.20995),
        },
    ),
)
