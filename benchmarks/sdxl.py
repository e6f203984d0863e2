"""Full-size SDXL with random weights on a GPU: seconds and memory of inversion, null optimisation and direct inversion.

    python benchmarks/sdxl.py [--size 1024] [--steps 50] [--updates 10] [--family sdxl|sd15|sd21] [--json FILE]

Weights do not change what a step costs, only when a null optimisation stops: here it is made to take every update,
which is the most it can cost. By arithmetic a forward of SDXL at 1024 pixels is about 11.3 TFLOP; with that, null
optimisation of 50 steps and 10 updates that seldom stop early takes 8.5 PFLOP, direct inversion with one target 1.7.
Weights are bfloat16, latents and losses float32.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Figure, report
from benchmarks.diffusion_architectures import UNETS, build
from diffusion_refine.core.attention import residual_interpolation
from diffusion_refine.core.models import CallCounter, Model
from diffusion_refine.core.schedule import Schedule
from diffusion_refine.inversion.ddim import invert
from diffusion_refine.inversion.methods import GUIDANCE, InversionSettings, prepare
from diffusion_refine.inversion.null_embedding import NullSettings
from diffusion_refine.inversion.sampling import edit
from diffusion_refine.training.tokenizer import build_tokenizer

PROMPT, TARGET = "photo of a crack defect on a ground tile", "photo of a rust defect on a ground tile"


def measured(model: Model, what: str, work: Callable[[], object]) -> dict[str, Figure]:
    """Seconds and the most memory that tensors took, GB of 10⁹ bytes, weights included."""
    torch.cuda.reset_peak_memory_stats()
    torch.cuda.synchronize()
    model.calls, begin = CallCounter(), time.perf_counter()
    work()
    torch.cuda.synchronize()
    return {
        "what": what,
        "seconds": time.perf_counter() - begin,
        "GB": torch.cuda.max_memory_allocated() / 1e9,
        "forwards": model.calls.forwards,
        "backwards": model.calls.backwards,
    }


def rows(model: Model, side: int, steps: int, updates: int) -> Iterator[dict[str, Figure]]:
    rng = torch.Generator("cuda").manual_seed(1)
    images = torch.rand(1, 3, side, side, generator=rng, device="cuda")
    latents = model.encode(images)
    prompt, target = (model.encode_prompt([text], (side, side)) for text in (PROMPT, TARGET))
    settings = InversionSettings(
        steps, GUIDANCE[model.family], NullSettings(updates=updates, threshold=0.0, growth=0.0)
    )
    invert(model, latents, prompt, Schedule(model, 1))  # loads the kernels
    yield measured(model, "inversion", lambda: invert(model, latents, prompt, Schedule(model, steps)))

    def whole(method: str) -> object:
        return edit(model, prepare(method, model, latents, prompt, settings))

    yield measured(model, f"null {steps} × {updates}, source", lambda: whole("null"))
    yield measured(model, "direct, source", lambda: whole("direct"))
    source = prepare("direct", model, latents, prompt, settings)
    yield measured(model, "one target more, direct", lambda: edit(model, source, target))
    yield measured(model, "autoencoder, both ways", lambda: model.decode(model.encode(images)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, help="pixels a side; the family's own without it")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--updates", type=int, default=10)
    parser.add_argument("--family", choices=list(UNETS), default="sdxl")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit(
            "this benchmark measures full-size models on a GPU and found no CUDA device; run it on a machine that has "
            "one with 40 GB of memory or more, or see benchmarks/diffusion.py for the embedded model on a processor"
        )
    model = Model(build(given.family, build_tokenizer(), device="cuda", dtype=torch.bfloat16), given.family)
    side = given.size or model.size
    with residual_interpolation(model.unet):
        found = list(rows(model, side, given.steps, given.updates))
    title = f"{given.family} of {sum(w.numel() for w in model.unet.parameters()) / 1e9:.2f} G weights, {side}²"
    report(found, given.json, f"{title}, {torch.cuda.get_device_name()}")


if __name__ == "__main__":
    main()
