"""Render boards and train CRG's two networks on them, and on nothing else; the model and its card are in DIR/model.

    python tools/crg_models.py DIR           # an hour or two of one core; run again, it goes on where it was stopped
    python tools/crg_models.py DIR --quick   # a few frames and steps, to see that it runs

The boards are those of the study pcb_detection seen closer, every one of another layout: some with the six kinds of
copper defects, others without any. Datasets and training are what `blemish render` and `blemish train-generator` make.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scenes.datasets.reader import Dataset
from scenes.recipes.reading import recipe_fields
from scenes.recipes.recipe import recipe_from
from tools.commands import REPOSITORY, blemish

BOARD = REPOSITORY / "anomaly" / "studies" / "presets" / "recipes" / "board.yaml"
SIDES = {"width_mm": {"uniform": [15, 20]}, "height_mm": 15}  # mm: 13 to 17 pixels to one
RESOLUTION = [256, 224]
SEEDS = {"flawed": 11, "good": 12}
COUNT = {"poisson": 2}  # of every kind of defect


def recipe() -> dict[str, Any]:
    """The study's board, nearer, with more of every defect."""
    fields = recipe_fields(BOARD)
    assert isinstance(fields, dict)
    fields["name"] = "close_board"
    fields["part"] |= SIDES
    fields["camera"] |= {"resolution": RESOLUTION}
    fields["finish"] |= {"brightness": {"uniform": [0.75, 1.3]}}
    fields["defects"] = [defect | {"count": COUNT} for defect in fields["defects"]]
    recipe_from(fields, fields["name"])
    return fields


def card(flawed: Dataset, good: Dataset, given: argparse.Namespace) -> str:
    """What the model saw, for whoever uses it."""
    counts = Counter(i.class_name for frame in flawed for i in frame.instances if i.family == "defect")
    lines = [
        "# CRG's model of boards",
        "",
        "Made from nothing but Blemish's own renders by",
        "",
        f"    python tools/crg_models.py DIR --frames {given.frames} --samples {given.samples} "
        f"--context-steps {given.context_steps} --prior-steps {given.prior_steps} "
        f"--context-batch {given.context_batch} --prior-batch {given.prior_batch} --device {given.device}",
        "",
        f"- context: {len(good)} boards without a defect, seed {good.seed}; "
        f"{given.context_steps} steps of {given.context_batch} crops",
        f"- prior: {len(flawed)} boards with defects, seed {flawed.seed}; "
        f"{given.prior_steps} steps of {given.prior_batch} patches",
        "",
        "| defect | drawn on the boards |",
        "| --- | --- |",
        *(f"| {name} | {count} |" for name, count in sorted(counts.items())),
        "",
        f"Boards are {RESOLUTION[0]} by {RESOLUTION[1]} pixels, 13 to 17 pixels to a millimetre, each laid out anew."
        " No photograph and no other model's weights went in. Parts that look otherwise need a model of their own.",
    ]
    return "\n".join(lines) + "\n"


def render(recipe_file: Path, given: argparse.Namespace) -> None:
    """Both sets that are not there yet."""
    for name, without in (("flawed", ()), ("good", ("--without", "defects"))):
        where = ("--frames", given.frames, "--samples", given.samples, "--seed", SEEDS[name], "--workers", 1)
        blemish("render", recipe_file, *without, *where, "--out", given.out / name)


def train(given: argparse.Namespace) -> None:
    """Both networks, and the model's card beside them."""
    model = given.out / "model"
    half = ("--half",) if given.device == "cuda" else ()
    training = ("--threads", given.threads, "--device", given.device, *half, "--out", model)
    for kind, pictures, steps, batch in (
        ("crg-prior", "flawed", given.prior_steps, given.prior_batch),
        ("crg-context", "good", given.context_steps, given.context_batch),
    ):
        blemish("train-generator", kind, given.out / pictures, "--steps", steps, "--batch", batch, *training)
    text = card(Dataset(given.out / "flawed"), Dataset(given.out / "good"), given)
    (model / "card.md").write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="DIR")
    parser.add_argument("--frames", type=int, default=120, help="of each of the two datasets")
    parser.add_argument("--samples", type=int, default=8, help="Cycles samples a pixel")
    parser.add_argument("--context-steps", type=int, default=4000)
    parser.add_argument("--prior-steps", type=int, default=8000)
    parser.add_argument("--context-batch", type=int, default=8)
    parser.add_argument("--prior-batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="that trains; with cuda in bfloat16")
    parser.add_argument(
        "--only", choices=("render", "train"), help="one of the two, where another machine does the other"
    )
    parser.add_argument("--quick", action="store_true", help="a few frames and steps")
    given = parser.parse_args()
    if given.quick:
        given.frames, given.samples, given.context_steps, given.prior_steps = 2, 1, 2, 2
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / "board.yaml"
    path.write_text(yaml.safe_dump(recipe(), sort_keys=False), encoding="utf-8")
    if given.only != "train":
        render(path, given)
    if given.only != "render":
        train(given)


if __name__ == "__main__":
    main()
