"""Render pictures and train on them the in-painting model that ships; its UNet, curves and card are in DIR/painter.

    python tools/painter_model.py DIR           # three hours of one core; run again, it goes on where it was stopped
    python tools/painter_model.py DIR --quick   # a few frames and steps, to see that it runs

It begins with the embedded model and sees renders alone: one surface with each of eight defects at one place
(tools/paired_pictures.py), and a pass over the catalogue (tools/diffusion_pictures.py). First on pieces of half its
side, which teach most of it at a quarter of the cost. Both trainings are `blemish train-generator diffusion --painter`.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from diffusion_refine.core.verify import STATE
from scenes.datasets.schema import HEADER, read_header
from tools.commands import REPOSITORY, blemish

CURVE = "denoiser.csv"


def pictures(out: Path, quick: bool) -> list[Path]:
    """The datasets to learn from, rendered where they are not yet."""
    pairs, catalogue = out / "pairs", out / "catalogue"
    few = ("--frames", "1", "--samples", "2", "--only", "ground", "cast") if quick else ()
    tool("paired_pictures.py", pairs, *few)
    tool("diffusion_pictures.py", catalogue, "--passes", "1", *(("--only", "finish_ground") if quick else ()))
    return sorted(path.parent for folder in (pairs, catalogue) for path in folder.rglob(HEADER))


def tool(name: str, *arguments: object) -> None:
    subprocess.run([sys.executable, str(REPOSITORY / "tools" / name), *map(str, arguments)], check=True)


def card(datasets: list[Path], trainings: list[str]) -> str:
    """What the model saw and how it learnt, for whoever uses it."""
    frames = sum(read_header(path).frames for path in datasets)
    return "\n".join(
        [
            "# The embedded painter",
            "",
            "A UNet of the embedded model's shape that sees a hole, and what is round it, beside the latents (17",
            "channels for 8). The autoencoder and the text encoders are that model's. Made from nothing but Blemish's",
            f"own renders, {frames} in {len(datasets)} sets, by `python tools/painter_model.py DIR`:",
            "",
            *(f"    {line}" for line in trainings),
            "",
            "No photograph and no other model's weights went in. Curves: `first.csv`, `second.csv`.",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="DIR")
    parser.add_argument("--first-steps", type=int, default=5000, help="on pieces of 64 pixels")
    parser.add_argument("--second-steps", type=int, default=1200, help="on pieces of 128 pixels")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    steps = (2, 2) if given.quick else (given.first_steps, given.second_steps)
    datasets = pictures(given.out, given.quick)
    first, second, painter = (given.out / name for name in ("first", "second", "painter"))
    where = ("--threads", given.threads, *(("--device", given.device) if given.device else ()))
    stages = {
        first: ("--side", 64, "--crops", 40 if given.quick else 10_000, "--steps", steps[0]),
        second: ("--start", first, "--crops", 40 if given.quick else 4000, "--steps", steps[1], "--rate", "2e-4"),
    }
    told = []
    for out, how in stages.items():
        blemish("train-generator", "diffusion", *datasets, "--painter", "--half", *how, *where, "--out", out)
        words = " ".join(str(word.name if isinstance(word, Path) else word) for word in how)
        told.append(f"blemish train-generator diffusion DIR/… --painter --half {words} --out {out.name}")
    painter.mkdir(exist_ok=True)
    for name in ("config.json", "diffusion_pytorch_model.safetensors"):
        shutil.copy(second / "unet" / name, painter)
    for folder in (first, second):
        shutil.copy(folder / STATE / CURVE, painter / f"{folder.name}.csv")
    (painter / "card.md").write_text(card(datasets, told), encoding="utf-8")


if __name__ == "__main__":
    main()
