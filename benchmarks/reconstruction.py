"""How well null embedding optimisation brings pictures back, with and without residual interpolation, model by model.

    python benchmarks/reconstruction.py [--quick] [--models ID|FOLDER ...] [--dataset DIR] [--lpips FILE] [--json FILE]

The null embedding paper's table of reconstruction over Stable Diffusion's versions, beside its own numbers. A model
runs where its safetensors lie on this machine, in the hub's cache by their id or in a folder in diffusers' layout; of
the others it is said that they do not. The model that ships runs always. Nothing is fetched without `--fetch`.
LPIPS is printed when `--lpips` names torchvision's weights of AlexNet, or those of `--lpips-network`. Pictures are
those of benchmarks/diffusion.py, each at the size of the model.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Figure, add_lpips, lpips_of, report, write
from benchmarks.diffusion import Bench, cases_for, row
from diffusion_refine.core.attention import ALPHA
from diffusion_refine.core.models import EMBEDDED, Model, ModelError, load_model
from diffusion_refine.inversion.methods import InversionSettings
from diffusion_refine.inversion.null_embedding import NullSettings


@dataclass(frozen=True)
class Published:
    """PSNR in decibels, SSIM and LPIPS, each without and with residual interpolation."""

    psnr: tuple[float, float]
    ssim: tuple[float, float]
    lpips: tuple[float, float]


MODELS = {
    "CompVis/stable-diffusion-v1-4": Published((29.61, 29.73), (0.8251, 0.8273), (0.0812, 0.0793)),
    "stable-diffusion-v1-5/stable-diffusion-v1-5": None,
    "stabilityai/stable-diffusion-2": Published((30.72, 30.95), (0.8443, 0.8465), (0.0501, 0.0482)),
    "stabilityai/stable-diffusion-2-1": Published((29.70, 30.44), (0.8364, 0.8436), (0.0613, 0.0524)),
    "stabilityai/stable-diffusion-xl-base-1.0": Published((24.03, 30.77), (0.7472, 0.8513), (0.2323, 0.0581)),
    EMBEDDED: None,
}


def rows_of(
    name: str, model: Model, published: Published | None, measured: Callable[[Model], Bench]
) -> list[dict[str, Figure]]:
    """Two of a model, without and with residual interpolation."""
    bench = measured(model)
    found = []
    for number, alpha in enumerate((0.0, ALPHA)):
        beside: dict[str, Figure] = {
            f"{figure}, paper": getattr(published, figure.lower())[number] if published else ""
            for figure in ("PSNR", "SSIM", "LPIPS")
        }
        found.append(row(bench.outcomes("null", alpha), model=name, size=model.size, RLI=alpha or "") | beside)
    return found


def table(
    names: Sequence[str], measured: Callable[[Model], Bench], device: str | None = None, fetch: bool = False
) -> list[dict[str, Figure]]:
    """The rows of every model that can be had, and on standard error why the others cannot."""
    rows = []
    for name in names:
        try:
            model = load_model(name, device, fetch=fetch)
        except ModelError as error:
            print(f"not run: {error}", file=sys.stderr)
            continue
        rows += rows_of(name, model, MODELS.get(name), measured)
        del model
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one picture of each kind, three steps of one update")
    parser.add_argument("--models", nargs="+", default=list(MODELS), metavar="ID|FOLDER")
    parser.add_argument("--fetch", action="store_true", help="from the hub what is not here: 2 to 7 GB a model")
    parser.add_argument("--dataset", type=Path, help="renders, instead of drawn surfaces")
    parser.add_argument("--pictures", type=int, default=2, help="of each kind")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--device", help="cpu or cuda; cuda where there is one")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    add_lpips(parser)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    count = 1 if given.quick else given.pictures
    settings = InversionSettings(3, null=NullSettings(updates=1)) if given.quick else InversionSettings(given.steps)
    likeness = lpips_of(given)

    def measured(model: Model) -> Bench:
        return Bench(model, cases_for(model, given.dataset, count), settings, likeness)

    rows = table(given.models, measured, given.device, given.fetch)
    report(rows, title=f"Reconstruction by null embedding optimisation, {settings.steps} steps")
    if given.json is not None:
        write({"reconstruction": rows}, given.json)


if __name__ == "__main__":
    main()
