"""Trains the embedded model on renders alone: `python -m diffusion_refine.training.train_embedded DATASET... --out
DIR`.

Crops, autoencoder, latents, denoiser, each resumable: a stopped training goes on from its last checkpoint. The datasets
are those of `tools/diffusion_pictures.py`. No photograph is read. What comes out, DIR/model, is a pipeline in
diffusers' layout, half precision. The decoder and the denoiser do not depend on each other: with --only, two programs
train them at once, and a third call puts them together.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from diffusion_refine.training.autoencoder import AutoencoderSettings, encoded, fidelity, set_latents, train_autoencoder
from diffusion_refine.training.crops import Crops, Picture, draw_crops, read_pictures
from diffusion_refine.training.denoiser import DenoiserSettings, train_denoiser
from diffusion_refine.training.loop import load_state, save_state
from diffusion_refine.training.model_shapes import Shape, build_pipeline
from diffusion_refine.training.saving import model_in, save_pipeline
from scenes.datasets.schema import HEADER
from scenes.jobs.progress import print_progress

MODEL = "model"
PARTS = ("autoencoder", "denoiser")
CROPS = 4000
PIECES = 5000
EVALUATED = 200  # crops of other draws, on which the autoencoder's fidelity is measured


def datasets_in(folders: Sequence[Path]) -> list[Path]:
    """The folders that are datasets, and the datasets beneath the others; in order of their names."""
    return sorted({found.parent for folder in folders for found in [*folder.rglob(HEADER)]})


def pictures_of(folders: Sequence[Path]) -> list[Picture]:
    """All pictures of all datasets that have any."""
    return [
        picture
        for folder in datasets_in(folders)
        if any(folder.glob("scenes/*.json"))
        for picture in read_pictures(folder)
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", type=Path, nargs="+", help="datasets, or folders of them")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints, curves and the model")
    parser.add_argument("--crops", type=int, default=CROPS, help="crops for the autoencoder")
    parser.add_argument("--autoencoder-steps", type=int, default=3000)
    parser.add_argument("--unweighted", action="store_true", help="let a defect's pixels count as all others")
    parser.add_argument("--pieces", type=int, default=PIECES, help="crops for the denoiser, and twice as many halves")
    parser.add_argument("--small-steps", type=int, default=6000, help="steps of the denoiser at half the size, first")
    parser.add_argument("--steps", type=int, default=4000, help="steps of the denoiser at the full size")
    parser.add_argument("--only", choices=PARTS, default=None, help="train this part alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    torch.set_flush_denormal(True)
    torch.set_num_threads(given.threads)

    shape = Shape()
    pictures = pictures_of(given.datasets)
    crops = draw_crops(pictures, given.crops, shape.size, given.seed)
    print(f"{len(pictures)} pictures, {len(crops)} crops", flush=True)
    pipeline = build_pipeline(shape, given.seed)
    settings = AutoencoderSettings(
        steps=given.autoencoder_steps,
        seed=given.seed,
        defects=0.0 if given.unweighted else AutoencoderSettings.defects,
    )
    set_latents(pipeline.vae, crops, settings)
    if given.only != "denoiser":
        latents = encoded(pipeline.vae, crops.images, on_image=partial(print_progress, "latents", total=len(crops)))
        report = partial(print_progress, "autoencoder", total=settings.linear + settings.steps)
        train_autoencoder(pipeline.vae, crops, latents, settings, given.out, report, clock=time.process_time)
        evaluated = draw_crops(pictures, EVALUATED, shape.size, given.seed + 1)
        print("PSNR, dB:", fidelity(pipeline.vae, evaluated), flush=True)
    if given.only == "autoencoder":
        with model_in(given.out / MODEL) as part:
            save_pipeline(pipeline, part)
        return

    # Most of what a step teaches is told by a quarter of the picture, at a quarter of the cost.
    stages = (
        (shape.size // 2, given.small_steps, 6e-4, 2 * given.pieces),
        (shape.size, given.steps, 4e-4, given.pieces),
    )
    for side, steps, rate, pieces in stages:
        folder = given.out / f"denoiser{side}"
        folder.mkdir(exist_ok=True)
        crops = draw_crops(pictures, pieces, side, given.seed + side)
        latents = latents_of(pipeline, crops, folder / "latents.pt")
        train_denoiser(
            pipeline,
            latents,
            crops.captions,
            DenoiserSettings(steps=steps, rate=rate, seed=given.seed + side),
            folder,
            partial(print_progress, f"denoiser, {side} pixels", total=steps),
            clock=time.process_time,
        )
    with model_in(given.out / MODEL) as part:
        save_pipeline(pipeline, part)


def latents_of(pipeline: Any, crops: Crops, cache: Path) -> torch.Tensor:
    """Latents of all crops, half precision; kept in a file beside the checkpoints."""
    if cache.is_file():
        kept: torch.Tensor = load_state(cache)
        if len(kept) == len(crops):
            return kept
    report = partial(print_progress, "latents", total=len(crops))
    latents = encoded(pipeline.vae, crops.images, on_image=report).half()
    save_state(cache, latents)
    return latents


if __name__ == "__main__":
    main()
