"""What each inversion keeps of a picture and what it costs; RLI of several strengths and places; how much words say.

    python benchmarks/diffusion.py [--quick] [--model embedded|ID|PATH] [--dataset DIR] [--pictures 2] [--lpips FILE]
        [--json FILE]

The tables of the null embedding paper's section 5 on one model: photographs of real defects, where their folder is at
hand, and crops of a rendered dataset, or unlit surfaces drawn of shipped recipes where none is given. Every picture is
inverted, brought back under guidance and decoded; the line "autoencoder" is what no method can exceed. `latent` is the
root mean square error of the latents, `features` a distance of the denoiser's own features, which is no LPIPS; that is
printed when `--lpips` names torchvision's weights of AlexNet, or of `--lpips-network`.
Forwards are calls of the UNet, all of inversion, optimisation and denoising; figures are means of a picture. What a
model of this size shows need not hold for SDXL, and the other way round.
"""

import argparse
import math
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Figure, Likeness, add_lpips, lpips_of, report, write
from benchmarks.word_swaps import CHOSEN, PLAIN, cuttings
from diffusion_refine.core.attention import ALPHA, residual_interpolation
from diffusion_refine.core.models import EMBEDDED, CallCounter, Model, load_model
from diffusion_refine.editing.word_swap import as_pictures, as_tensor
from diffusion_refine.inversion.methods import ClassifierFree, InversionSettings, prepare
from diffusion_refine.inversion.null_embedding import NullSettings
from diffusion_refine.inversion.sampling import denoise, edit
from diffusion_refine.metrics import fidelity as metrics
from diffusion_refine.metrics.kernel_distance import denoiser_distance
from diffusion_refine.prompts.captions import caption_of
from diffusion_refine.prompts.vocabulary import defects_in
from diffusion_refine.training.crops import draw_crops, read_pictures
from scenes.maps import preview_picture, surface_maps
from scenes.recipes.recipe import load_recipe
from scenes.recipes.sampling import draw

PHOTOGRAPHS = Path(os.environ.get("BLEMISH_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
FIRST = (1, 7, 0, 3, 4, 2, 5, 6)  # of the photographs that are chosen for the word swaps: unlike ones first
RECIPES = ("magnetic_tile", "hot_strip", "painted_panel", "turned_shaft")
FRAMES = 40  # of a recipe that are looked through for a surface with a defect
IRRELEVANT = "photo of a golden retriever"  # section 5.2
ALPHAS = (0.0, 0.1, 0.2, 0.3, 0.4)
PROMPTS = ("low", "moderate", "high", "irrelevant")
PLACES = ((), ("down",), ("mid",), ("up",))
# "plain" is guidance away from no words, uncorrected; "null, prompt" starts the optimisation from the prompt.
METHODS = {"plain": "", "null": "null", "null, prompt": "null", "negative": "negative-prompt", "direct": "direct"}


@dataclass(frozen=True, eq=False)
class Case:
    """A picture (S, S, 3) in [0, 1] and what a prompt says of it."""

    kind: str
    picture: NDArray[np.float32]
    prompt: str

    def told(self, much: str) -> str:
        """A prompt that says low, moderate or high much, as in section 5.2, or something else altogether."""
        word = defects_in(self.prompt)[0]
        return {"low": word, "moderate": f"photo of a {word} defect", "high": self.prompt, "irrelevant": IRRELEVANT}[
            much
        ]


@dataclass(frozen=True)
class Outcome:
    """A picture that was brought back. psnr: None where the pictures are the same. lpips: None where nobody asks."""

    case: Case
    psnr: float | None
    ssim: float
    features: float
    latent: float
    forwards: int
    backwards: int
    seconds: float
    lpips: float | None = None


@dataclass(frozen=True, eq=False)
class Bench:
    model: Model
    cases: Sequence[Case]
    settings: InversionSettings
    likeness: Likeness | None = None  # LPIPS
    known: dict[tuple, list[Outcome]] = field(default_factory=dict)  # what two tables ask for is measured once

    def outcomes(
        self, method: str, alpha: float = 0.0, blocks: tuple[str, ...] = ("up",), much: str = "high"
    ) -> list[Outcome]:
        wanted = (method, alpha if blocks else 0.0, blocks if alpha else (), much)
        if wanted not in self.known:
            with residual_interpolation(self.model.unet, alpha, blocks):
                self.known[wanted] = [self._outcome(case, method, much) for case in self.cases]
        return self.known[wanted]

    def _outcome(self, case: Case, method: str, much: str) -> Outcome:
        model, settings = self.model, self.settings
        latents, prompt = model.encode(as_tensor(case.picture)), model.encode_prompt([case.told(much)])
        model.calls, begin = CallCounter(), time.perf_counter()
        if method == "autoencoder":
            found = latents
        elif method == "plain":
            source = prepare("negative-prompt", model, latents, prompt, settings)
            guidance = ClassifierFree(model.encode_prompt([""]), source.scale)
            found = denoise(model, source.trajectory.noisiest, prompt, guidance, source.schedule)
        else:
            if method == "null, prompt":
                settings = replace(settings, null=replace(settings.null, start="prompt"))
            found = edit(model, prepare(METHODS[method], model, latents, prompt, settings))
        seconds, spent = time.perf_counter() - begin, model.calls
        model.calls = CallCounter()  # what is measured below costs the method nothing
        back = as_pictures(model.decode(found))[0]
        return Outcome(
            case,
            metrics.psnr(case.picture, back),
            metrics.ssim(case.picture, back),
            denoiser_distance(model, case.picture, back),
            float((found - latents).square().mean().sqrt()),
            spent.forwards,
            spent.backwards,
            seconds,
            self.likeness and self.likeness(case.picture, back),
        )


def row(outcomes: Sequence[Outcome], **named: Figure) -> dict[str, Figure]:
    """Means: of fidelity for each kind of picture, of the others over all."""
    found = dict(named)
    for kind in dict.fromkeys(outcome.case.kind for outcome in outcomes):
        these = [outcome for outcome in outcomes if outcome.case.kind == kind]
        found[f"{kind} PSNR"] = statistics.fmean(outcome.psnr or math.inf for outcome in these)
        found[f"{kind} SSIM"] = statistics.fmean(outcome.ssim for outcome in these)
        if known := [outcome.lpips for outcome in these if outcome.lpips is not None]:
            found[f"{kind} LPIPS"] = statistics.fmean(known)
    for name in ("features", "latent", "forwards", "backwards", "seconds"):
        found[name] = statistics.fmean(getattr(outcome, name) for outcome in outcomes)
    return found


def photographs(side: int, count: int) -> Iterator[Case]:
    """Real defects, where they are at hand."""
    if (PHOTOGRAPHS / "manifest.csv").is_file():
        for one in cuttings(PHOTOGRAPHS, side, tuple(CHOSEN[number] for number in FIRST[:count])):
            yield Case("photos", one.picture, one.prompt)


def renders(dataset: Path, side: int, count: int) -> Iterator[Case]:
    """Crops round the defects of a rendered dataset."""
    crops = draw_crops(read_pictures(dataset), 4 * count, side, seed=0, style=PLAIN)
    named = [number for number, text in enumerate(crops.captions) if defects_in(text)]
    for number in named[:count]:
        yield Case("renders", as_pictures(crops.images[number : number + 1] / 255)[0], crops.captions[number])


def surfaces(side: int, count: int) -> Iterator[Case]:
    """Unlit surfaces of shipped recipes, round a defect."""
    for name in RECIPES[:count]:
        recipe = load_recipe(name)
        for index in range(FRAMES):
            scene = draw(recipe, 0, index)
            if not defects_in(caption_of(scene)):
                continue
            maps = surface_maps(scene)
            if not (maps.defects > 0).any():
                continue
            picture = preview_picture(maps)[:, : maps.defects.shape[1]][::-1]
            middle = np.median(np.argwhere(maps.defects > 0), axis=0)
            square = Image.fromarray(picture).crop(
                tuple(round(edge) for edge in (middle[1] - side, middle[0] - side, middle[1] + side, middle[0] + side))
            )
            shrunk = np.asarray(square.resize((side, side), Image.Resampling.LANCZOS), np.float32) / 255
            yield Case("drawn", shrunk, caption_of(scene))
            break


def cases_for(model: Model, dataset: Path | None, count: int) -> list[Case]:
    """So many pictures of each kind, of the model's size. dataset: of renders; drawn surfaces where there is none."""
    rendered = renders(dataset, model.size, count) if dataset else surfaces(model.size, count)
    return [*photographs(model.size, count), *rendered]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one picture of each kind, three steps of one update")
    parser.add_argument("--model", default=EMBEDDED)
    parser.add_argument("--dataset", type=Path, help="renders, instead of drawn surfaces")
    parser.add_argument("--pictures", type=int, default=2, help="of each kind")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    add_lpips(parser)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    model = load_model(given.model)
    count = 1 if given.quick else given.pictures
    settings = InversionSettings(3, null=NullSettings(updates=1)) if given.quick else InversionSettings(given.steps)
    bench = Bench(model, cases_for(model, given.dataset, count), settings, lpips_of(given))
    tables: dict[str, list[dict[str, Figure]]] = {}

    def show(title: str, rows: Iterator[dict[str, Figure]], hidden: Sequence[str]) -> None:
        tables[title] = list(rows)
        shown = [{name: value for name, value in row.items() if name not in hidden} for row in tables[title]]
        report(shown, title=f"{title}; {model.name}, {settings.steps} steps")

    show(
        "Methods, without and with RLI",
        (
            row(bench.outcomes(method, alpha), method=method, RLI=alpha or "")
            for method in ("autoencoder", *METHODS)
            for alpha in ((0.0,) if method in ("autoencoder", "direct") else (0.0, ALPHA))
        ),
        hidden=("features", "latent"),
    )
    for method in ("null",) if given.quick else ("null", "negative"):
        ablations = {
            "Strength of RLI": (row(bench.outcomes(method, alpha), alpha=alpha) for alpha in ALPHAS),
            "Place of RLI": (
                row(bench.outcomes(method, ALPHA, blocks), blocks=" ".join(blocks) or "none") for blocks in PLACES
            ),
            "What the prompt says": (row(bench.outcomes(method, much=much), prompt=much) for much in PROMPTS),
        }
        for title, rows in ablations.items():
            show(f"{title}, {method}", rows, hidden=("forwards", "backwards", "seconds"))
    if given.json is not None:
        write(tables, given.json)


if __name__ == "__main__":
    main()
