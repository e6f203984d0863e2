"""Tables of papers on what synthesis is worth to classification."""

from __future__ import annotations

from anomaly.studies.engine.task import PublishedTable

TABLES = (
    PublishedTable(
        "Accuracy on carbide inserts",
        "Jo 2025",
        ("DenseNet121", "ResNet18", "ResNet50", "ResNet101", "EfficientNetV2-M", "EfficientNetV2-L"),
        {
            "original": (0.7526, 0.7320, 0.6907, 0.7010, 0.8969, 0.9175),
            "MixUp": (0.6804, 0.7113, 0.6598, 0.6907, 0.8351, 0.8247),
            "CutMix": (0.6804, 0.6598, 0.6804, 0.6804, 0.8454, 0.8660),
            "syn": (0.8660, 0.8247, 0.7320, 0.7423, 0.9278, 0.9381),
            "blistering": (0.8557, 0.7629, 0.7629, 0.7938, 0.9381, 0.9485),
            "rust": (0.8454, 0.8144, 0.7526, 0.7835, 0.9485, 0.9588),
            "degradation": (0.8660, 0.8660, 0.7423, 0.7526, 0.9588, 0.9485),
            "corrosion": (0.8660, 0.8557, 0.7835, 0.7526, 0.9588, 0.9485),
            "wear": (0.8969, 0.8144, 0.7835, 0.7423, 0.9278, 0.9485),
            "peeling": (0.9175, 0.8454, 0.7423, 0.7732, 0.9381, 0.9691),
        },
        "One run on 97 pictures that are not public, so 1.03 points are one picture; networks and weights as there.",
    ),
)
