"""Render boards and train CRG's two networks on them, and on nothing else; the model and its card are in DIR/model.

    python tools/crg_models.py DIR           # an hour or two of one core; run again, it goes on where it was stopped
    python tools/crg_models.py DIR --quick   # a few frames and steps, to see that it runs

The boards are those of tools/board.yaml seen closer, every one of another layout: some with the six kinds of copper
defects, others without any. Datasets and training are what `blemish render` and `blemish train-generator` make.
"""

import argparse
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from diffusion_refine.synthesis.crg.model import CONTEXT, PRIOR
from scenes.datasets.reader import Dataset
from scenes.datasets.schema import read_header
from scenes.recipes.reading import recipe_fields
from scenes.recipes.recipe import recipe_from
from tools.commands import REPOSITORY, blemish

BOARD = REPOSITORY / "tools" / "board.yaml"
SIDES = {"width_mm": {"uniform": [15, 20]}, "height_mm": 15}  # mm: 13 to 17 pixels to one
RESOLUTION = [256, 224]
SEEDS = {"flawed": 11, "good": 12}
STAGES = ("render", "prior", "context")
COUNT = {"poisson": 2}  # of every kind of defect


def recipe() -> dict[str, Any]:
    """That board, nearer, with more of every defect."""
    fields = recipe_fields(BOARD)
    assert isinstance(fields, dict)
    fields["name"] = "close_board"
    fields["part"] |= SIDES
    fields["camera"] |= {"resolution": RESOLUTION}
    fields["finish"] |= {"brightness": {"uniform": [0.75, 1.3]}}
    fields["defects"] = [defect | {"count": COUNT} for defect in fields["defects"]]
    recipe_from(fields, fields["name"])
    return fields


def card(flawed: Dataset, good: Dataset, samples: int, model: Path) -> str:
    """What the model in a folder saw, for whoever uses it."""
    counts = Counter(i.class_name for frame in flawed for i in frame.instances if i.family == "defect")
    context, prior = (kind.load_record(model)["training"] for kind in (CONTEXT, PRIOR))
    lines = [
        "# CRG's model of boards",
        "",
        "Made from nothing but Blemish's own renders by",
        "",
        f"    python tools/crg_models.py DIR --only render --frames {len(flawed)} --samples {samples}",
        *(
            f"    python tools/crg_models.py DIR --only {option(name, made)}"
            for name, made in (("context", context), ("prior", prior))
        ),
        "",
        f"- context, {context['shape']['size']} pixels: {len(good)} boards without a defect, seed {good.seed}; "
        f"{context['steps']} steps of {context['batch']} crops",
        f"- prior, {prior['shape']['size']} pixels: {len(flawed)} boards with defects, seed {flawed.seed}; "
        f"{prior['steps']} steps of {prior['batch']} patches",
        "",
        "| defect | drawn on the boards |",
        "| --- | --- |",
        *(f"| {name} | {count} |" for name, count in sorted(counts.items())),
        "",
        f"Boards are {RESOLUTION[0]} by {RESOLUTION[1]} pixels, 13 to 17 pixels to a millimetre, each laid out anew."
        " No photograph and no other model's weights went in. Parts that look otherwise need a model of their own."
        " Curves of loss and error: `crg-context.csv`, `crg-prior.csv`.",
    ]
    return "\n".join(lines) + "\n"


def option(name: str, made: dict[str, Any]) -> str:
    """By which options a network was trained as its record says."""
    device = " --device cuda" if made["half"] else ""
    return f"{name} --{name}-steps {made['steps']} --{name}-batch {made['batch']}{device}"


def render(recipe_file: Path, given: argparse.Namespace) -> None:
    """Both sets that are not there yet."""
    for name, without in (("flawed", ()), ("good", ("--without", "defects"))):
        where = ("--frames", given.frames, "--samples", given.samples, "--seed", SEEDS[name], "--workers", 1)
        blemish("render", recipe_file, *without, *where, "--out", given.out / name)


def train(name: str, given: argparse.Namespace) -> None:
    """One network; beside both the model's card and curves."""
    model = given.out / "model"
    half = ("--half",) if given.device == "cuda" else ()
    pictures, steps, batch = {
        "context": ("good", given.context_steps, given.context_batch),
        "prior": ("flawed", given.prior_steps, given.prior_batch),
    }[name]
    amount = ("--steps", steps, "--batch", batch, "--threads", given.threads, "--device", given.device, *half)
    blemish("train-generator", f"crg-{name}", given.out / pictures, *amount, "--out", model)
    if all(kind.record_in(model).is_file() for kind in (CONTEXT, PRIOR)):
        samples = read_header(given.out / "good").settings["samples"]
        text = card(Dataset(given.out / "flawed"), Dataset(given.out / "good"), samples, model)
        (model / "card.md").write_text(text, encoding="utf-8")
        for kind in (CONTEXT, PRIOR):
            shutil.copy(model / "training" / f"{kind.name}.csv", model)


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
    parser.add_argument("--only", choices=STAGES, help="one of them, where another machine does the others")
    parser.add_argument("--quick", action="store_true", help="a few frames and steps")
    given = parser.parse_args()
    if given.quick:
        given.frames, given.samples, given.context_steps, given.prior_steps = 2, 1, 2, 2
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / "board.yaml"
    path.write_text(yaml.safe_dump(recipe(), sort_keys=False), encoding="utf-8")
    for stage in STAGES:
        if given.only in (None, stage):
            render(path, given) if stage == "render" else train(stage, given)


if __name__ == "__main__":
    main()
