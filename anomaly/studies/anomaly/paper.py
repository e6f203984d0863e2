"""What the paper reports, and what differs here: [Mao 2025], Tables I and II, in per cent.

A value that its text leaves out is None.
"""

from __future__ import annotations

from anomaly.backbone.patch_extractor import ARCHITECTURE, EMBEDDED, UNTRAINED
from anomaly.studies.anomaly.settings import Study

CITATION = (
    "Mao, Fulir, Garth, Gospodnetić: Sequential PatchCore: Anomaly Detection for Surface Inspection using Synthetic "
    "Impurities"
)
DEFECTS, IMPURITIES = ("Scratch", "Bump", "Dent"), ("WaterStain", "Fingerprint", "Sticker")

# Table I: by scenario, for every class the recall of pixels and of instances.
TABLE_I: dict[str, dict[str, tuple[float | None, float]]] = {
    name: dict(zip((*DEFECTS, *IMPURITIES), values, strict=True))
    for name, values in {
        "Real": ((80.5, 99.0), (49.7, 100.0), (96.0, 97.7), (None, 75.9), (4.3, 93.8), (34.0, 100.0)),
        "Synth": ((82.6, 97.5), (33.7, 99.4), (93.1, 98.5), (15.3, 52.5), (1.2, 79.2), (30.5, 100.0)),
        "Synth_WS": ((72.9, 95.0), (31.4, 100.0), (85.3, 97.0), (5.3, 37.9), (1.1, 75.0), (23.4, 100.0)),
        "Synth (ft)": ((75.5, 96.5), (45.3, 100.0), (94.3, 95.5), (17.6, 66.5), (2.1, 89.6), (29.0, 100.0)),
        "Synth_WS (ft)": ((68.1, 93.3), (35.4, 100.0), (91.0, 93.2), (11.6, 51.6), (1.0, 79.2), (25.8, 96.8)),
    }.items()
}

# Table II: pixel precision, recall and F1, and mean defect-wise recall.
TABLE_II_FIGURES = ("pixel_precision", "pixel_recall", "pixel_f1", "mean_defect_wise_recall")
TABLE_II: dict[str, tuple[float, float, float, float]] = {
    "Real": (35.7, 68.4, 47.0, 98.9),
    "Synth": (26.1, 62.7, 36.8, 98.4),
    "Synth_DA": (31.2, 60.8, 41.2, 98.4),
    "Synth_DR": (29.4, 66.7, 40.8, 99.4),
    "Synth_DR+DA": (27.4, 66.2, 38.7, 99.2),
    "Synth_WS": (23.3, 56.2, 32.9, 97.3),
    "Synth_WS+DA": (27.7, 58.0, 37.5, 97.9),
    "Synth_WS+DR": (24.4, 59.7, 34.6, 98.4),
    "Synth_WS+DR+DA": (29.4, 52.0, 37.5, 95.3),
    "Synth (ft)": (41.6, 63.8, 50.3, 97.3),
    "Synth_DA (ft)": (45.6, 57.9, 51.0, 96.1),
    "Synth_DR (ft)": (41.3, 63.7, 50.1, 96.5),
    "Synth_DR+DA (ft)": (47.3, 58.2, 52.2, 95.2),
    "Synth_WS (ft)": (50.3, 55.6, 52.9, 95.5),
    "Synth_WS+DA (ft)": (49.5, 55.8, 52.5, 95.0),
    "Synth_WS+DR (ft)": (44.5, 58.3, 50.5, 95.9),
    "Synth_WS+DR+DA (ft)": (44.5, 55.7, 49.5, 95.6),
    "Melding": (51.5, 52.6, 52.0, 93.9),
    "Melding_WS": (53.9, 50.1, 51.9, 91.7),
}


def of_table_ii(scenario: str, figure: str) -> float | None:
    """The paper's value as a share, or None where Table II has none."""
    if figure not in TABLE_II_FIGURES or scenario not in TABLE_II:
        return None
    return TABLE_II[scenario][TABLE_II_FIGURES.index(figure)] / 100


def backbone_in_words(backbone: str) -> str:
    """A backbone in words."""
    return "MobileNetV3 large" if backbone in (ARCHITECTURE, EMBEDDED, UNTRAINED) else backbone


def differences(
    study: Study, *, backbone: str, weights: str, real: tuple[int, int], synthetic: int, classes: tuple[str, ...]
) -> tuple[tuple[str, str, str], ...]:
    """What differs between the paper and a study: (in what, there, here).

    backbone, weights: what the inspectors see with; real: pictures and surfaces of the real set; synthetic: renders in
    one set; classes: of the defects evaluated.
    """
    inspector = study.inspector
    masks = "exact, rendered" if study.real.rendered else "drawn by hand, by others, of defects only"
    lights = "".join(f", {name}" for name in study.synthetic.lights)
    several = f"means over {len(study.seeds)} seeds, intervals by bootstrap over surfaces and seeds"
    ours = several if len(study.seeds) > 1 else "one seed, intervals by bootstrap over surfaces"
    held_out = study.real.rendered
    good = (
        f"{held_out.clean_frames} clean renders" if held_out else f"{100 * study.real.train:.0f} % of the good surfaces"
    )
    return (
        ("surface", "brushed aluminium plates of 10 × 12 cm", study.surface),
        ("defects", ", ".join(DEFECTS).lower(), ", ".join(classes)),
        ("imaging", "2448 × 2050 pixels, hexagonal ring light, robot", study.imaging),
        ("backbone", "MobileNetV3 large, trained on ImageNet", f"{backbone_in_words(backbone)}: {weights}"),
        ("bank", "2048 patches, 5 epochs", f"{inspector.bank} patches, {inspector.epochs} epochs"),
        ("trained on, real", "10 clean plates", good),
        ("trained on, rendered", "80 renders in each set", f"{synthetic} renders in each set"),
        ("lights", "as built, turned by 90°, enlarged twofold", f"as built{lights}"),
        (
            "threshold",
            "one defective plate",
            f"{100 * study.real.validation:.0f} % of the other good surfaces and of the defective ones",
        ),
        (
            "evaluated on",
            "1 clean and 6 defective plates",
            f"the rest of {real[0]} pictures of {real[1]} surfaces, parted anew for every seed",
        ),
        ("true masks", "drawn by hand with LabelMe, of defects and impurities", masks),
        ("figures", "one run", ours),
    )
