"""What the paper is quoted with: its tables as printed, and what its text says of how each scenario is trained."""

import pytest

from anomaly.studies.anomaly.paper import DEFECTS, TABLE_I, TABLE_II, of_table_ii
from anomaly.studies.anomaly.scenarios import REAL, SCENARIOS, Scenario

# [Mao 2025], Table I: pixel-wise and defect-wise recall of scratch, bump, dent, water stain, fingerprint, sticker.
PRINTED_I = """
Real           80.5  99.0  49.7 100.0  96.0  97.7     -  75.9   4.3  93.8  34.0 100.0
Synth          82.6  97.5  33.7  99.4  93.1  98.5  15.3  52.5   1.2  79.2  30.5 100.0
Synth_WS       72.9  95.0  31.4 100.0  85.3  97.0   5.3  37.9   1.1  75.0  23.4 100.0
Synth_(ft)     75.5  96.5  45.3 100.0  94.3  95.5  17.6  66.5   2.1  89.6  29.0 100.0
Synth_WS_(ft)  68.1  93.3  35.4 100.0  91.0  93.2  11.6  51.6   1.0  79.2  25.8  96.8
"""
# [Mao 2025], Table II: pixel precision, pixel recall, pixel F1, mean defect-wise recall.
PRINTED_II = """
Real                 35.7 68.4 47.0 98.9
Synth                26.1 62.7 36.8 98.4
Synth_DA             31.2 60.8 41.2 98.4
Synth_DR             29.4 66.7 40.8 99.4
Synth_DR+DA          27.4 66.2 38.7 99.2
Synth_WS             23.3 56.2 32.9 97.3
Synth_WS+DA          27.7 58.0 37.5 97.9
Synth_WS+DR          24.4 59.7 34.6 98.4
Synth_WS+DR+DA       29.4 52.0 37.5 95.3
Synth_(ft)           41.6 63.8 50.3 97.3
Synth_DA_(ft)        45.6 57.9 51.0 96.1
Synth_DR_(ft)        41.3 63.7 50.1 96.5
Synth_DR+DA_(ft)     47.3 58.2 52.2 95.2
Synth_WS_(ft)        50.3 55.6 52.9 95.5
Synth_WS+DA_(ft)     49.5 55.8 52.5 95.0
Synth_WS+DR_(ft)     44.5 58.3 50.5 95.9
Synth_WS+DR+DA_(ft)  44.5 55.7 49.5 95.6
Melding              51.5 52.6 52.0 93.9
Melding_WS           53.9 50.1 51.9 91.7
"""


def printed(table):
    rows = {}
    for line in table.strip().splitlines():
        name, *cells = line.split()
        rows[name.replace("_(ft)", " (ft)")] = [None if cell == "-" else float(cell) for cell in cells]
    return rows


def test_every_cell_of_the_tables_is_the_printed_one():
    flat = {name: [value for pair in classes.values() for value in pair] for name, classes in TABLE_I.items()}
    assert flat == printed(PRINTED_I)
    assert {name: list(row) for name, row in TABLE_II.items()} == printed(PRINTED_II)
    assert list(TABLE_II) == [name for name, scenario in SCENARIOS.items() if scenario.size == 1]


def test_f1_follows_from_precision_and_recall_and_the_mean_recall_from_table_i():
    for name, (precision, recall, f1, mean_recall) in TABLE_II.items():
        assert f1 == pytest.approx(2 * precision * recall / (precision + recall), abs=0.11), name
        if name in TABLE_I:
            of_defects = [TABLE_I[name][kind][1] for kind in DEFECTS]
            assert mean_recall == pytest.approx(sum(of_defects) / 3, abs=0.5), name
    assert of_table_ii("Melding_WS", "pixel_precision") == pytest.approx(0.539)
    assert of_table_ii("Real", "aupro") is None
    assert of_table_ii("Melding (half)", "pixel_precision") is None


def test_scenarios_are_made_of_what_section_v_says():
    """Section V.B, "Training": trained with or without stains, lights and augmentation; tuned; melded from four."""
    by_stains = {"Synth": False, "Synth_WS": True}
    for first, stained in by_stains.items():
        for marks in ("", "DA", "DR", "DR+DA"):
            name = "_".join(filter(None, [first, marks])) if not stained or not marks else f"{first}+{marks}"
            made = SCENARIOS[name]
            assert made == Scenario("synthetic", stained, "DR" in marks, "DA" in marks), name
            assert made.parents == ()
            # "Finetuning experiments (ft) use the pre-trained coreset and update it using the real trainset."
            assert SCENARIOS[f"{name} (ft)"].parents == (name,)
            assert SCENARIOS[f"{name} (ft)"].fine_tuned
    # "Coreset melding is formed from coresets trained separately on real, synthetic, domain randomized (DR) and data
    # augmented (DA) trainsets"
    assert set(SCENARIOS["Melding"].parents) == {REAL, "Synth", "Synth_DR", "Synth_DA"}
    assert set(SCENARIOS["Melding_WS"].parents) == {REAL, "Synth_WS", "Synth_WS+DR", "Synth_WS+DA"}
    assert SCENARIOS[REAL] == Scenario("real")
    assert SCENARIOS[REAL].parents == ()
    # "we additionally tried melding the pre-trained coresets into melded coresets double and half the original size"
    for name in ("Melding", "Melding_WS"):
        assert [SCENARIOS[f"{name} ({size})"].size for size in ("half", "double")] == [0.5, 2.0]
        assert SCENARIOS[f"{name} (half)"].parents == SCENARIOS[name].parents
    assert len(SCENARIOS) == 23
