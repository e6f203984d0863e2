"""Curves of trainings, for the cards of models that ship."""

from collections.abc import Sequence

ROWS = 10  # of a table at most


def curve_table(curve: Sequence[dict[str, str]]) -> list[str]:
    """Lines of a table in Markdown: a curve's columns and its rows, of many only some, evenly from first to last."""
    shown = curve
    if len(curve) > ROWS:
        shown = [curve[round(place * (len(curve) - 1) / (ROWS - 1))] for place in range(ROWS)]
    columns = list(curve[0])
    return [
        "| " + " | ".join(columns) + " |",
        "|" + " --- |" * len(columns),
        *("| " + " | ".join(row[column] for column in columns) + " |" for row in shown),
    ]
