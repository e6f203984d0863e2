"""Render tiles, plates, strip and screws with defects and without, and train MaPhC2F on them, and on nothing else; the
model and its card are in DIR/model.

    python tools/maphc2f_model.py DIR           # a quarter of an hour of one core
    python tools/maphc2f_model.py DIR --quick   # a few frames and steps, to see that it runs

The flawed sets are those of tools/sard_model.py. Datasets and training are what `blemish render` and `blemish
train-generator` make; run again, it goes on where it was stopped.
"""

import argparse
import csv
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scenes.datasets.reader import Dataset
from tools.commands import blemish
from tools.curves import curve_table
from tools.sard_model import SEED, SHARES, render

GOOD_SEED = 53


def render_good(given: argparse.Namespace) -> None:
    """The surfaces that physics draws on: of every set as many, without a defect."""
    for number, name in enumerate(SHARES):
        where = ("--frames", given.good, "--samples", given.samples, "--seed", GOOD_SEED + number, "--workers", 1)
        blemish(
            "render", given.out / f"{name}.yaml", "--without", "defects", *where, "--out", given.out / f"{name}-good"
        )


def train(given: argparse.Namespace) -> None:
    """The model, and its card beside it."""
    model = given.out / "model"
    each = [word for name in SHARES for word in ("--recipe", given.out / f"{name}.yaml")]
    each += [word for name in SHARES for word in ("--surfaces", given.out / f"{name}-good")]
    words = ("--steps", given.steps, "--batch", given.batch, "--pairs", given.pairs, "--seed", SEED)
    sets = [given.out / name for name in SHARES]
    blemish("train-generator", "maphc2f", *sets, *each, *words, "--every", 100, "--device", "cpu", "--out", model)
    (model / "card.md").write_text(card(given, model), encoding="utf-8")


def card(given: argparse.Namespace, model: Path) -> str:
    """What the model saw and how it learnt, for whoever uses it."""
    references = json.loads((model / "maphc2f.json").read_text(encoding="utf-8"))["references"]
    with (model / "training" / "maphc2f.csv").open(encoding="utf-8") as file:
        curve = list(csv.DictReader(file))
    lines = [
        "# MaPhC2F's model of tiles, plates, strip and screws",
        "",
        "Made from nothing but Blemish's own renders by",
        "",
        f"    python tools/maphc2f_model.py DIR --frames {given.frames} --good {given.good} --samples {given.samples} "
        f"--steps {given.steps} --batch {given.batch} --pairs {given.pairs}",
        "",
        f"Everything random follows from seeds from {SEED} and {GOOD_SEED} on. No photograph and no other model's",
        "weights went in. What looks otherwise than these renders, or is seen at another scale, has its fine detail",
        "from a set of its own (`--references`), or a model of its own.",
        "",
        "| set | finish | frames with defects | without |",
        "| --- | --- | --- | --- |",
        *(
            f"| {name} | {flawed[0].scene.finish.kind} | {len(flawed)} | {len(Dataset(given.out / f'{name}-good'))} |"
            for name, flawed in ((name, Dataset(given.out / name)) for name in SHARES)
        ),
        "",
        "| class | defects whose detail is known |",
        "| --- | --- |",
        *(f"| {name} | {len(values)} |" for name, values in references.items()),
        "",
        "What the networks lost, the mean since the line before:",
        "",
        *curve_table(curve),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="DIR")
    parser.add_argument("--frames", type=int, default=50, help="of tiles with defects; the other sets have a share")
    parser.add_argument("--good", type=int, default=12, help="frames of each set without defects")
    parser.add_argument("--samples", type=int, default=10, help="Cycles samples a pixel")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--pairs", type=int, default=400, help="windows round defects that physics draws")
    parser.add_argument("--quick", action="store_true", help="a few frames and steps")
    given = parser.parse_args()
    if given.quick:
        given.frames, given.good, given.samples, given.steps, given.pairs = 2, 1, 1, 2, 8
    given.out.mkdir(parents=True, exist_ok=True)
    render(given)
    render_good(given)
    train(given)


if __name__ == "__main__":
    main()
