"""Word swaps on photographs or renders: what each method leaves of the background, at what cost, with sheets.

    python benchmarks/word_swaps.py [--quick] [--model embedded|ID|PATH] [--dataset DIR...] [--out DIR] [--json FILE]

Eight photographs, one defect each, cut out around their largest defect; or a crop of each dataset given. In DIR, all
are swapped for eight words: swaps.png inside the defect's mask, places.png where the words' attention puts them,
attention.png and key_tokens.json of the pictures' own words. In the table, for the first three words that are not their
own. There, `background` is the PSNR outside the picture's own mask, widened by one latent texel, of the pictures as the
autoencoder decodes them, `delivered` the same with the picture's own pixels back; the place of each edit is found by
the words' attention (local blend), given by that mask, or the whole picture. The line "autoencoder" is what no method
can exceed. `change` is the mean absolute change inside the mask, `area` the share of the picture that was edited.
"""

import argparse
import csv
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation, label

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Figure, report, write
from benchmarks.sheets import attention_sheet, swap_sheet
from diffusion_refine.core.models import CallCounter, Model, load_model
from diffusion_refine.editing.word_swap import Edited, SwapSettings, as_pictures, as_tensor, inverted, swap_words
from diffusion_refine.inversion.methods import Inversion
from diffusion_refine.metrics.fidelity import background_psnr
from diffusion_refine.prompt_to_prompt.maps import key_tokens
from diffusion_refine.prompts.vocabulary import LABELS, PHOTOGRAPHED, defects_in, swapped
from diffusion_refine.training.crops import CropSettings, draw_crops, read_pictures

REAL = Path(__file__).resolve().parents[2] / "shared" / "data"
# Set, label, which of its surfaces: chosen by eye so that one defect is plain to see.
CHOSEN = (
    ("magnetic_tile", "Crack", 1),
    ("magnetic_tile", "Blowhole", 5),
    ("magnetic_tile", "Break", 0),
    ("crackforest", "crack", 0),
    ("ballscrew_pitting", "pit", 5),
    ("neu_seg_dedup", "1", 0),
    ("neu_seg_dedup", "2", 0),
    ("neu_seg_dedup", "3", 2),
)
WORDS = ("scratch", "crack", "dent", "pit", "rust", "blowhole", "gouge", "chip")
ROOM = 1.6  # side of the cutting over the defect's extent
MEASURED = 3  # words of each picture in the table
METHODS = ("direct", "null", "negative-prompt")
PLAIN = CropSettings(near=1, far=1, defects=1, grey=0, light=0, turns=False, synonym=0, general=0)
CROPS = 64  # of a dataset that are looked through for one with a single kind of defect, well in sight
IN_SIGHT = (0.01, 0.2)  # share of such a crop that its defect covers


@dataclass(frozen=True, eq=False)
class Cutting:
    """A square of a picture, (S, S, 3) in [0, 1], its defect's mask (S, S) and its prompt."""

    picture: NDArray[np.float32]
    mask: NDArray[np.bool_]
    prompt: str
    word: str


def cuttings(folder: Path, side: int, chosen: tuple[tuple[str, str, int], ...] = CHOSEN) -> list[Cutting]:
    with (folder / "manifest.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = []
    for name, wanted, number in chosen:
        surfaces = {row["group"]: row for row in rows if row["set"] == name and row["label"] == wanted and row["mask"]}
        row = [surfaces[group] for group in sorted(surfaces)][number]
        with Image.open(folder / name / row["image"]) as image, Image.open(folder / name / row["mask"]) as mask:
            found.append(cut(image.convert("RGB"), np.asarray(mask) > 0, side, name, LABELS[name][wanted]))
    return found


def cut(image: Image.Image, mask: NDArray[np.bool_], side: int, name: str, word: str) -> Cutting:
    parts, _ = label(mask)
    rows, columns = np.nonzero(parts == np.bincount(parts.ravel())[1:].argmax() + 1)
    extent = max(np.ptp(rows), np.ptp(columns)) + 1
    window = min(max(side, round(ROOM * extent)), *mask.shape)
    top, left = (
        int(np.clip((axis.min() + axis.max()) / 2 - window / 2, 0, reach - window))
        for axis, reach in zip((rows, columns), mask.shape, strict=True)
    )
    box = (left, top, left + window, top + window)
    picture = np.asarray(image.crop(box).resize((side, side), Image.Resampling.LANCZOS), np.float32) / 255
    small = np.asarray(Image.fromarray(mask).convert("L").crop(box).resize((side, side), Image.Resampling.BOX)) > 64
    article = "an" if word[0] in "aeiou" else "a"
    return Cutting(picture, small, f"photo of {article} {word} defect on {PHOTOGRAPHED[name]}", word)


def rendered_cuttings(datasets: list[Path], side: int) -> Iterator[Cutting]:
    """One crop of each, with a single kind of defect in it."""
    for folder in datasets:
        crops = draw_crops(read_pictures(folder), CROPS, side, seed=0, style=PLAIN)
        for image, mask, text in zip(crops.images, crops.masks.numpy() > 0, crops.captions, strict=True):
            words = defects_in(text)
            if len(words) == 1 and IN_SIGHT[0] <= mask.mean() <= IN_SIGHT[1]:
                yield Cutting(as_pictures(image[None] / 255)[0], mask, text, words[0])
                break


def swap_all(
    model: Model,
    one: Cutting,
    settings: SwapSettings,
    mask: NDArray[np.bool_] | None = None,
    count: int = len(WORDS),
    source: Inversion | None = None,
) -> Edited:
    targets = [swapped(one.prompt, one.word, word) for word in WORDS if word != one.word][:count]
    return swap_words(model, one.picture, one.prompt, targets, mask, settings, source=source)


def measured(model: Model, found: list[Cutting], settings: SwapSettings) -> list[dict[str, Figure]]:
    """One line for each way to tell the place; cost is of the inversion and of that way's edits."""
    model.calls = CallCounter()
    start = time.perf_counter()
    sources = [inverted(model, one.picture, one.prompt, settings) for one in found]
    inverting, spent = model.calls, time.perf_counter() - start
    rows: list[dict[str, Figure]] = []
    for name in ("attention", "mask", "everywhere"):
        how = replace(settings, threshold=None) if name == "everywhere" else settings
        model.calls, start = CallCounter(), time.perf_counter()
        backgrounds, delivered, changes, areas = [], [], [], []
        for one, source in zip(found, sources, strict=True):
            edited = swap_all(model, one, how, one.mask if name == "mask" else None, MEASURED, source)
            wide = binary_dilation(one.mask, iterations=model.factor)
            for swap in edited.swaps:
                backgrounds.append(background_psnr(one.picture, swap.decoded, wide))
                delivered.append(background_psnr(one.picture, swap.picture, wide))
                changes.append(np.abs(swap.decoded - edited.reconstruction)[one.mask].mean())
                areas.append(swap.place.mean())
        row: dict[str, Figure] = {"method": settings.method, "place": name, "background": mean(backgrounds)}
        row |= {"delivered": mean(delivered), "change": mean(changes), "area": mean(areas)}
        row |= {"forwards": (inverting.forwards + model.calls.forwards) / len(found)}
        row |= {"backwards": inverting.backwards / len(found)}
        rows.append(row | {"seconds": (spent + time.perf_counter() - start) / len(found)})
    return rows


def ceiling(model: Model, found: list[Cutting]) -> dict[str, Figure]:
    decoded = [as_pictures(model.decode(model.encode(as_tensor(one.picture))))[0] for one in found]
    wide = [binary_dilation(one.mask, iterations=model.factor) for one in found]
    values = [background_psnr(one.picture, image, mask) for one, image, mask in zip(found, decoded, wide, strict=True)]
    return {"method": "autoencoder", "place": "", "background": mean(values)}


def mean(values: list) -> float | None:
    present = [float(value) for value in values if value is not None]
    return sum(present) / len(present) if present else None


def pictures(model: Model, found: list[Cutting], settings: SwapSettings, out: Path) -> None:
    sources = [inverted(model, one.picture, one.prompt, settings) for one in found]
    edited, inside = (
        [
            swap_all(model, one, settings, mask, source=source)
            for one, mask, source in zip(found, masks, sources, strict=True)
        ]
        for masks in ([None] * len(found), [one.mask for one in found])
    )
    originals = [one.picture for one in found]
    out.mkdir(parents=True, exist_ok=True)
    for name, page in (
        ("swaps", swap_sheet(WORDS, originals, inside)),
        ("places", swap_sheet(WORDS, originals, edited, places=True)),
        ("attention", attention_sheet(originals, edited)),
    ):
        Image.fromarray(page).save(out / f"{name}.png")
    keys = {
        one.prompt: [
            {"word": token.word, "share": token.share, "contrast": token.contrast} for token in key_tokens(maps)
        ]
        for one, maps in zip(found, (each.maps for each in edited), strict=True)
    }
    write(keys, out / "key_tokens.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two pictures, ten steps")
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--data", type=Path, default=REAL, help="folder of the photographs")
    parser.add_argument("--dataset", type=Path, action="append", help="renders instead of photographs; repeatable")
    parser.add_argument("--out", type=Path, help="folder for the sheets")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", choices=METHODS, action="append", help="of the methods")
    given = parser.parse_args()
    if not given.dataset and not (given.data / "manifest.csv").is_file():
        sys.exit(f"no real photographs at {given.data}; name their folder with --data, or renders with --dataset")
    model = load_model(given.model)
    settings = SwapSettings(steps=10 if given.quick else 50)
    if given.dataset:
        found = list(rendered_cuttings(given.dataset[:2] if given.quick else given.dataset, model.size))
    else:
        found = cuttings(given.data, model.size, CHOSEN[:2] if given.quick else CHOSEN)
    if given.out:
        pictures(model, found, settings, given.out)
    rows = [ceiling(model, found)]
    for method in given.only or METHODS:
        rows += measured(model, found, replace(settings, method=method))
    kind = "renders" if given.dataset else "photographs"
    title = f"{len(found)} {kind}, {MEASURED} words each, {settings.steps} steps, {model.name}"
    report(rows, given.json, title)


if __name__ == "__main__":
    main()
