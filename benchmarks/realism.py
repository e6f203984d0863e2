"""Whether refinement brings renders nearer to real photographs: kernel distance to good magnetic tiles.

    python benchmarks/realism.py [--quick] [--json FILE] [--sheet FILE] [--model NAME] [--steps N] [--renders DATASET]

Three disjoint groups of real tiles: one to tune on, one to compare with, one that stands for as near as one can get.
The figure is the kernel inception distance's estimator [Bińkowski 2018] on two kinds of features: those of the
model's own denoiser, and texture statistics that no network had a hand in; "spread" is its standard deviation over
random halves of the surfaces. Renders are good tiles, refined all over at several strengths, once by the model as it is
and once tuned on the first group by `blemish train-generator diffusion --lora`.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Figure, report
from diffusion_refine.core.models import Model, load_model
from diffusion_refine.editing.pixels import colour
from diffusion_refine.editing.realism import RealismSettings, realistic
from diffusion_refine.editing.windows import Window
from diffusion_refine.metrics import fidelity as metrics
from diffusion_refine.metrics.difference import Comparison, comparison_sheet
from diffusion_refine.metrics.kernel_distance import denoiser_statistics, kernel_distance, standardised
from diffusion_refine.training.diffusion import DiffusionSettings, train_diffusion
from scenes import Dataset, load_recipe
from scenes.formats.registry import read_samples
from scenes.formats.sample import GOOD, Sample
from scenes.formats.splitting import split_by_group
from scenes.gallery.finish_statistics import texture_statistics

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "magnetic_tile"
PROMPT = "photo of a good ground tile"
STRENGTHS = (0.2, 0.4, 0.6)
CUTTINGS, CUTTINGS_QUICK = 96, 24  # of each kind
FRAMES, FRAMES_QUICK = 32, 8
HALVINGS = 200
BORDER = 0.1  # of a picture's side: the rim of the tile and the backdrop
SEED = 0

Pictures = list[NDArray[np.float64]]  # (side, side) in [0, 1]


def cuttings(pictures: Sequence[NDArray], surfaces: Sequence[str], count: int, side: int) -> tuple[Pictures, list[str]]:
    """So many squares, the pictures in turn, and the surface that each shows."""
    rng = np.random.default_rng(SEED)
    found: Pictures = []
    of: list[str] = []
    usable = [k for k, picture in enumerate(pictures) if min(picture.shape) * (1 - 2 * BORDER) >= side]
    for number in range(count):
        picture = pictures[usable[number % len(usable)]]
        starts = [
            rng.integers(int(BORDER * length), length - int(BORDER * length) - side + 1) for length in picture.shape
        ]
        found.append(picture[starts[0] : starts[0] + side, starts[1] : starts[1] + side])
        of.append(surfaces[usable[number % len(usable)]])
    return found, of


def real_tiles(samples: Sequence[Sample], count: int, side: int) -> tuple[Pictures, list[str]]:
    pictures = [np.asarray(Image.open(s.image_path).convert("L")) / 255.0 for s in samples]
    return cuttings(pictures, [s.group for s in samples], count, side)


def rendered_tiles(dataset: Dataset, count: int, side: int) -> tuple[Pictures, list[str]]:
    good = [frame for frame in dataset if not frame.defects.any() and not frame.impurities.any()]
    return cuttings([colour(frame.image).mean(axis=2) for frame in good], [str(f.index) for f in good], count, side)


def refined(model: Model, pictures: Pictures, strength: float) -> Pictures:
    """Every picture denoised from that strength, all over; pixels of 8 bits, as a dataset keeps them."""
    settings = RealismSettings(defect=strength, background=strength)
    result = []
    for number, picture in enumerate(pictures):
        change = realistic(
            model,
            np.repeat(picture[..., None], 3, axis=2),
            np.full(picture.shape, strength),
            (Window(0, 0, model.size),),
            (PROMPT,),
            settings,
            torch.Generator().manual_seed(SEED + number),
        )
        result.append(np.rint(255 * np.clip(picture + change.mean(axis=2), 0, 1)) / 255)
    return result


def textures(pictures: Pictures) -> NDArray[np.float64]:
    rows = np.array([astuple(texture_statistics(255 * picture)) for picture in pictures])
    tone = np.array([[picture.mean(), picture.std()] for picture in pictures])
    return np.concatenate([rows, tone], axis=1)


def distance(
    features: Callable[[Pictures], NDArray], made: Pictures, of: Sequence[str], real: NDArray, groups: Sequence[str]
) -> tuple[float, float]:
    """Kernel distance to real features, and its standard deviation over draws of surfaces on both sides."""
    reference, ours = standardised(real, real, features(made))
    value = kernel_distance(ours, reference)
    rng = np.random.default_rng(SEED)
    draws = []
    for _ in range(HALVINGS):
        halves = []
        for sample, surfaces in ((ours, np.array(of)), (reference, np.array(groups))):
            names = np.unique(surfaces)
            kept = rng.permutation(names)[: max(2, len(names) // 2)]
            halves.append(sample[np.isin(surfaces, kept)])
        draws.append(kernel_distance(*halves))
    return value, float(np.std(draws))


def tuned_on(samples: Sequence[Sample], start: str, steps: int, folder: Path) -> Path:
    """A model tuned on photographs of good tiles."""
    photographs = folder / "photographs"
    photographs.mkdir()
    for sample in samples:
        (photographs / sample.image_path.name).symlink_to(sample.image_path.resolve())
    settings = DiffusionSettings(start=start, lora=True, steps=steps, caption=PROMPT, crops=512, turns=False, seed=SEED)
    return train_diffusion([photographs], folder / "tuned", settings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer pictures, strengths and steps")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    parser.add_argument("--sheet", type=Path, help="draw renders before and after, beside real tiles, there")
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--steps", type=int, help="of the tuning; 300, or 40 with --quick; 0 leaves it out")
    parser.add_argument("--renders", type=Path, help="dataset of good tiles; rendered with Blender where none is given")
    parser.add_argument("--data", type=Path, default=REAL, help="folder of the real tiles")
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        print(f"{arguments.data}: no real tiles there to compare with; name their folder with --data")
        return
    torch.set_num_threads(1)
    count = CUTTINGS_QUICK if arguments.quick else CUTTINGS
    steps = arguments.steps if arguments.steps is not None else 40 if arguments.quick else 300
    model = load_model(arguments.model)
    good = [sample for sample in read_samples(arguments.data) if sample.label == GOOD]
    to_tune, to_judge, to_reach = split_by_group(good, (0.4, 0.3, 0.3), SEED)
    real, groups = real_tiles(to_judge, count, model.size)
    near, near_groups = real_tiles(to_reach, count, model.size)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if arguments.renders is None:
            from blender_addon import render_dataset

            frames = FRAMES_QUICK if arguments.quick else FRAMES
            recipe, without = load_recipe("magnetic_tile"), ["defects", "impurities"]
            dataset = render_dataset(recipe, folder / "renders", frames, seed=SEED, samples=24, without=without)
        else:
            dataset = Dataset(arguments.renders)
        renders, of = rendered_tiles(dataset, count, model.size)
        models = {"": model}
        if steps:
            models = {"as it is": model, "tuned": load_model(str(tuned_on(to_tune, arguments.model, steps, folder)))}
        rows: list[dict[str, Figure]] = []
        judges: dict[str, Callable[[Pictures], NDArray]] = {
            "denoiser": lambda pictures: denoiser_statistics(model, pictures),
            "texture": textures,
        }
        known = {name: judge(real) for name, judge in judges.items()}

        def judged(name: str, pictures: Pictures, surfaces: Sequence[str], **more: Figure) -> None:
            row: dict[str, Figure] = {"pictures": name, **more}
            for judge, features in judges.items():
                value, spread = distance(features, pictures, surfaces, known[judge], groups)
                row |= {f"distance ({judge})": value, f"spread ({judge})": spread}
            rows.append(row)

        judged("other real tiles", near, near_groups)
        judged("renders", renders, of)
        comparisons = []
        for kind, one in models.items():
            for strength in STRENGTHS[1:2] if arguments.quick else STRENGTHS:
                made = refined(one, renders, strength)
                ratios = [metrics.psnr(a, b) for a, b in zip(renders, made, strict=True)]
                psnr = float(np.mean([ratio for ratio in ratios if ratio is not None]))
                judged(f"renders refined, model {kind}".rstrip(" ,"), made, of, strength=strength, psnr=psnr)
                comparisons += [
                    Comparison(
                        f"{kind or 'model'}, strength {strength:g}", renders[k], made[k], np.zeros_like(real[0], bool)
                    )
                    for k in (0, 1)
                ]
        report(rows, arguments.json, title="Kernel distance to real good tiles: lower is nearer")
        if arguments.sheet:
            tiles = [Comparison("real tiles", real[k], real[k + 1], np.zeros_like(real[0], bool)) for k in (0, 2)]
            Image.fromarray(comparison_sheet([*tiles, *comparisons], 256)).save(arguments.sheet)


if __name__ == "__main__":
    main()
