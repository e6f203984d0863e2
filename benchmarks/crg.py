"""CRG beside in-painting by one model, and what each part of its mechanism does.

    python benchmarks/crg.py [--quick] [--model DIR [--good DATASET --flawed DATASET [--sheet PNG]]] [--json FILE]

Time: seconds and calls of networks a picture, one box each, beside diffusers' RePaint with the same network of good
pictures, which paints a hole of the box's window, all in one process. Without --model the networks have the shapes that
the commands train, and random weights: they cost the same, but more steps may be too long.

Parts: with --model and two renders of the same recipe and seed, of which one was made `--without defects`, defects are
drawn on the good frames where the flawed ones have theirs, with the mechanism whole and without each of its parts.
`background` is the PSNR of all that the context made beside the defect, before the picture is put back there;
`accepted` the share of drawn defects with which the label check finds nothing amiss; `found` the share of boxes in
which a defect was drawn at all; `overlap` how far the masks are those of the flawed frames, intersection over union.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import RePaintPipeline, RePaintScheduler
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Figure, report, write
from benchmarks.sheets import SIDE, Row, sheet
from diffusion_refine.editing.label_check import check
from diffusion_refine.editing.pixels import colour, pasted
from diffusion_refine.metrics.difference import eight_bits, outlined
from diffusion_refine.metrics.fidelity import background_psnr
from diffusion_refine.synthesis.crg.boxes import Box, box_of
from diffusion_refine.synthesis.crg.drawing import Change, drawn
from diffusion_refine.synthesis.crg.method import JUMP, START, STEPS, TRAVELS
from diffusion_refine.synthesis.crg.model import CrgModel, load_crg
from diffusion_refine.synthesis.crg.networks import CONTEXT, PRIOR, build
from diffusion_refine.synthesis.crg.sampling import CrgSettings, literal
from diffusion_refine.synthesis.crg.schedule import FIRST_BETA, LAST_BETA, TRAINED, Schedule
from diffusion_refine.training.model_shapes import random_start
from scenes.datasets.reader import Dataset, Frame

LABELS = ("missing_hole", "mouse_bite", "open_circuit", "short", "spur", "spurious_copper")
LEAST = 6  # pixels of a defect whose box is drawn in again
MOST_BOXES = 8  # of a frame
WHOLE, NEAR = "whole", "context of two windows"
QUICK = Schedule(STEPS, 6, 2, 2)


def untrained(quick: bool) -> CrgModel:
    """Networks of the shapes that the commands train, of random weights."""
    shapes = (replace(CONTEXT, size=64), replace(PRIOR, size=16)) if quick else (CONTEXT, PRIOR)
    with random_start(0):
        networks = build(shapes[0], None), build(shapes[1], len(LABELS))
    for network in networks:
        network.requires_grad_(False).eval()
    return CrgModel(*networks, LABELS, shapes[0].size, shapes[1].size, {}, {})


def board(side: int) -> np.ndarray:
    """(side, side, 3) uint8: bright tracks on a dark ground."""
    picture = np.full((side, side, 3), 60, np.uint8)
    picture[(np.arange(side) // 6) % 3 == 0] = 190
    return picture


def settings_of(quick: bool) -> dict[str, CrgSettings]:
    ours = CrgSettings(schedule=QUICK if quick else Schedule(STEPS, START, JUMP, TRAVELS))
    published = literal()
    if quick:
        published = replace(published, schedule=replace(QUICK, to_the_end=False))
    return {"CRG": ours, "CRG, as published": published}


def times(model: CrgModel, quick: bool) -> list[dict[str, Figure]]:
    """One box of one picture, by each method."""
    picture = board(model.size)
    box = Box(model.labels[0], model.size / 2, model.size / 2, model.window / 2, model.window / 3)
    rows: list[dict[str, Figure]] = []
    for name, settings in settings_of(quick).items():
        for guided in (True, False) if name == "CRG" else (True,):
            chosen = settings if guided else replace(settings, guidance=replace(settings.guidance, steps=0))
            begin = time.perf_counter()
            _, calls = drawn(model, picture, [box], chosen, np.random.default_rng(0))
            rows.append(
                {
                    "method": name if guided else f"{name} without guidance",
                    "levels": chosen.schedule.visits,
                    "context calls": calls.context,
                    "prior calls": calls.prior,
                    "seconds": time.perf_counter() - begin,
                }
            )
    ours = settings_of(quick)["CRG"].schedule
    published = (4, 2, 2) if quick else (250, 10, 10)
    for name, (steps, jump, samples) in (
        ("RePaint, CRG's levels", (ours.start, ours.jump, ours.samples)),
        ("RePaint, as published", published),
    ):
        rows.append({"method": name, **repaint(model, picture, steps, jump, samples)})
    return rows


def repaint(model: CrgModel, picture: np.ndarray, steps: int, jump: int, samples: int) -> dict[str, Figure]:
    """The window painted by the context alone, by diffusers."""
    asked = 0

    def count(*_: Any) -> None:
        nonlocal asked
        asked += 1

    scheduler = RePaintScheduler(TRAINED, FIRST_BETA, LAST_BETA, "linear", clip_sample=True)
    pipeline = RePaintPipeline(model.context, scheduler)
    pipeline.set_progress_bar_config(disable=True)
    image = torch.from_numpy(picture).permute(2, 0, 1)[None].float().to(model.device) / 127.5 - 1
    kept = torch.ones((1, 1, *picture.shape[:2]), device=model.device)
    start = (model.size - model.window) // 2
    kept[..., start : start + model.window, start : start + model.window] = 0.0
    hook = model.context.register_forward_hook(count)
    begin = time.perf_counter()
    pipeline(
        image, kept, num_inference_steps=steps, jump_length=jump, jump_n_sample=samples, output_type="np",
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    seconds = time.perf_counter() - begin
    hook.remove()
    return {"levels": asked, "context calls": asked, "prior calls": 0, "seconds": seconds}


def parts() -> dict[str, CrgSettings]:
    """The mechanism, without each of its parts, and as published."""
    whole = settings_of(False)["CRG"]
    attention, guidance = whole.attention, whole.guidance

    def without(**changed: Any) -> CrgSettings:
        return replace(whole, attention=replace(attention, **changed))

    return {
        WHOLE: whole,
        "no centre weight": without(centre_weight=0.0),
        "no components": without(components=False),
        "no average over levels": without(momentum=0.0),
        "no background term": without(background=False),
        "no time travel": replace(whole, schedule=replace(whole.schedule, samples=1)),
        "boxes without size": without(reach=None),
        "no guidance": replace(whole, guidance=replace(guidance, steps=0)),
        "as published": literal(),
    }


def boxes_of(frame: Frame, labels: tuple[str, ...]) -> list[tuple[Box, np.ndarray]]:
    """Boxes and masks of a frame's defects that the model can draw."""
    found = []
    for instance in frame.instances:
        mask = frame.defects == instance.id
        if instance.family == "defect" and instance.class_name in labels and mask.sum() >= LEAST:
            found.append((box_of(mask, instance.class_name), mask))
    return found[:MOST_BOXES]


def judged(good: np.ndarray, change: Change, mask: np.ndarray) -> dict[str, float]:
    """Figures of one drawn defect in a context (h, w[, 3]) of its frame; mask: of the real one there."""
    before = colour(good[change.part])
    after = colour(change.pixels)
    psnr = background_psnr(before, after, change.mask)
    there = mask[change.part]
    union = np.count_nonzero(change.mask | there)
    figures = {"found": float(change.mask.any()), "overlap": np.count_nonzero(change.mask & there) / max(1, union)}
    if psnr is not None:
        figures["background"] = psnr
    if change.mask.any():
        ids = change.mask.astype(np.uint16)
        (verdict,) = check(before, colour(pasted(good[change.part], change.pixels, change.mask)), ids)
        figures["accepted"] = float(verdict.accepted)
    return figures


def table(
    model: CrgModel, good: Dataset, flawed: Dataset, most: int, only: Sequence[str] = ()
) -> list[dict[str, Figure]]:
    """A row for the mechanism and for each part that is left out; means over all boxes."""
    rows: list[dict[str, Figure]] = []
    mechanisms = parts()
    compared = {name: (model, settings) for name, settings in mechanisms.items()}
    compared[NEAR] = (replace(model, size=model.surroundings), mechanisms[WHOLE])
    for name, (model, settings) in compared.items():
        if only and name not in only:
            continue
        figures: dict[str, list[float]] = {}
        begin, count = time.perf_counter(), 0
        for frame, other in list(zip(good, flawed, strict=False))[:most]:
            pairs = boxes_of(other, model.labels)
            random = np.random.default_rng(frame.index)
            changes, _ = drawn(model, frame.image, [box for box, _ in pairs], settings, random, whole=True)
            count += len(pairs)
            for change, (_, mask) in zip(changes, pairs, strict=True):
                for key, value in judged(frame.image, change, mask).items():
                    figures.setdefault(key, []).append(value)
        names = ("background", "accepted", "found", "overlap")
        means = {key: float(np.mean(figures[key])) if key in figures else None for key in names}
        rows.append(
            {"mechanism": name, "boxes": count, **means, "seconds a box": (time.perf_counter() - begin) / count}
        )
    return rows


def pictured(model: CrgModel, good: Dataset, flawed: Dataset, most: int) -> np.ndarray:
    """A sheet: frames without defects, with their recipe's, with those drawn in the same boxes, and where these lie."""
    rows = []
    for frame, other in list(zip(good, flawed, strict=False))[:most]:
        boxes = [box for box, _ in boxes_of(other, model.labels)]
        changes, _ = drawn(model, frame.image, boxes, settings_of(False)["CRG"], np.random.default_rng(frame.index))
        picture, marked = frame.image.copy(), np.zeros(frame.image.shape[:2], bool)
        for change in changes:
            picture[change.part] = pasted(picture[change.part], change.pixels, change.changed)
            marked[change.part] |= change.mask
        seen = [eight_bits(colour(pixels)) for pixels in (frame.image, other.image, picture)]
        rows.append(Row(f"board {frame.index}", [*seen, outlined(seen[-1], marked)]))
    return sheet(("good", "the recipe's defects", "CRG's in the same boxes", "their masks"), rows, 2 * SIDE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a trained CRG's folder; diffusion_refine/embedded/crg ships")
    parser.add_argument("--good", type=Path, help="renders without defects")
    parser.add_argument("--flawed", type=Path, help="the same frames with defects")
    parser.add_argument("--frames", type=int, default=8, help="of these, for the table of parts")
    parser.add_argument("--only", action="append", default=[], help="rows of that table, repeatable")
    parser.add_argument(
        "--sheet", type=Path, metavar="PNG", help="file for a picture of these frames, and what is drawn"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="small networks and few levels, seconds in all")
    parser.add_argument("--json", type=Path, help="file for the figures")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.set_flush_denormal(True)
    model = load_crg(given.model) if given.model else untrained(given.quick)
    timed = times(model, given.quick)
    report(timed, title="a picture with one box")
    found: dict[str, Any] = {"times": timed}
    if given.model and given.good and given.flawed:
        found["parts"] = table(model, Dataset(given.good), Dataset(given.flawed), given.frames, given.only)
        report(found["parts"], title="the mechanism, and without each of its parts")
        if given.sheet:
            Image.fromarray(pictured(model, Dataset(given.good), Dataset(given.flawed), given.frames)).save(given.sheet)
    if given.json:
        write(found, given.json)


if __name__ == "__main__":
    main()
