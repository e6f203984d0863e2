"""Full-size models with random weights on a GPU: recorded calls beside those of before, seconds and memory.

    python benchmarks/sdxl.py --check                 # first: that recorded calls give what plain ones do; a minute
    python benchmarks/sdxl.py --json out/sdxl.json    # SDXL at 1024², Stable Diffusion 1.5 at 512², refinement
    python benchmarks/sdxl.py --variants              # what memory formats, libraries and compilation do to one call
    python benchmarks/sdxl.py --quick [--check]       # the same code on small shapes, on a processor too

Weights do not change what a step costs, only when a null optimisation stops: here it is made to take every update,
which is the most it can cost. By arithmetic a forward of SDXL at 1024 pixels is about 11.3 TFLOP; with that, null
optimisation of 50 steps and 10 updates takes 8.5 PFLOP, direct inversion with one target 1.7. Weights are bfloat16,
latents and losses float32. "× 25 of 2 steps": what takes minutes is measured over two of its steps, which are alike.
GB are of 10⁹ bytes that torch took of the card at most, weights included. Rows appear, and are written, as they come;
none is begun after `--seconds`.
"""

import argparse
import gc
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Figure, report, write
from benchmarks.diffusion_architectures import UNETS, build
from diffusion_refine.core.attention import residual_interpolation
from diffusion_refine.core.models import CallCounter, Model, Prompt, load_model
from diffusion_refine.editing.word_swap import attention_edit, tokens
from diffusion_refine.inversion.methods import GUIDANCE, Inversion, InversionSettings, prepare
from diffusion_refine.inversion.null_embedding import NullSettings
from diffusion_refine.inversion.sampling import edit
from diffusion_refine.prompt_to_prompt.controllers import Controller
from diffusion_refine.prompt_to_prompt.maps import Maps
from diffusion_refine.training.tokenizer import build_tokenizer
from procgen.errors import BlemishNote

PROMPT, TARGET = "photo of a crack defect on a ground tile", "photo of a rust defect on a ground tile"
FAMILIES = ("sdxl", "sd15")
SHORT = 2  # steps of what is not measured whole
STALE = 0.02  # relative difference; bfloat16 rounds to 0.004, an input that is not the call's own gives about 1
ROUNDING = 1e-3  # likewise for float32 without TF32


@dataclass
class Table:
    """Rows that are shown and written as they come, until the time is over."""

    path: Path | None
    seconds: float
    rows: list[dict[str, Figure]] = field(default_factory=list)
    begin: float = field(default_factory=time.perf_counter)

    def add(self, work: Callable[[], dict[str, Figure]], **named: Figure) -> None:
        """One row more; what fails is one that says how, so that the others still come."""
        if time.perf_counter() - self.begin > self.seconds:
            row: dict[str, Figure] = {**named, "note": "not run: the time was over"}
        else:
            try:
                row = {**named, **work()}
            except Exception as error:  # of whatever library
                row = {**named, "note": f"failed: {type(error).__name__}: {str(error)[:200]}"}
        self.rows.append(row)
        shown = (f"{name} {f'{value:.3g}' if isinstance(value, float) else value}" for name, value in row.items())
        print(f"[{time.perf_counter() - self.begin:5.1f} s]", ", ".join(shown), flush=True)
        if self.path is not None:
            write(self.rows, self.path)


@dataclass(frozen=True)
class Bench:
    """A model and pictures for it."""

    model: Model
    side: int
    steps: int
    updates: int

    def latents(self, pictures: int) -> Tensor:
        rng = torch.Generator(self.model.device).manual_seed(1)
        texels = self.side // self.model.factor
        shape = (pictures, self.model.latent_channels, texels, texels)
        return torch.randn(shape, generator=rng, device=self.model.device)

    def prompt(self, text: str) -> Prompt:
        return self.model.encode_prompt([text], (self.side, self.side))

    def source(self, method: str, pictures: int, steps: int, latents: Tensor | None = None) -> Inversion:
        settings = InversionSettings(
            steps, GUIDANCE[self.model.family], NullSettings(updates=self.updates, threshold=0.0, growth=0.0)
        )
        given = self.latents(pictures) if latents is None else latents
        return prepare(method, self.model, given, self.prompt(PROMPT), settings)

    def whole(self, method: str, pictures: int, steps: int) -> object:
        """A picture to noise and back."""
        return edit(self.model, self.source(method, pictures, steps))

    def swap(self, source: Inversion) -> object:
        """One target of a word swapped, under attention control."""
        pair = [tokens(self.model, text) for text in (PROMPT, TARGET)]
        controller = Controller([attention_edit(*pair)], maps=Maps())
        return edit(self.model, source, self.prompt(TARGET), controller=controller)


def synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def measured(model: Model, work: Callable[[], object], times: int = 1) -> dict[str, Figure]:
    """Seconds, what torch took of the card at most, and calls; of work that is so many times as long."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    synchronize()
    model.calls, begin = CallCounter(), time.perf_counter()
    work()
    synchronize()
    seconds = time.perf_counter() - begin
    return {
        "seconds": seconds * times,
        "GB": torch.cuda.max_memory_reserved() / 1e9 if torch.cuda.is_available() else None,
        "forwards": model.calls.forwards * times,
        "backwards": model.calls.backwards * times,
        "kinds recorded": model.recorded,
        "note": f"× {times} of {SHORT} steps" if times > 1 else "",
    }


@contextmanager
def as_before(model: Model) -> Iterator[None]:
    """Called one by one, and channels first: as all calls were made before they were recorded."""
    model.forget_recordings()  # whose memory is none of its own
    formats = [torch.contiguous_format, torch.channels_last if model.device.type == "cuda" else torch.contiguous_format]
    for module in (model.unet, model.vae):
        module.to(memory_format=formats[0])
    try:
        with model.plainly():
            yield
    finally:
        for module in (model.unet, model.vae):
            module.to(memory_format=formats[1])


def rows(bench: Bench, table: Table, family: str) -> None:
    """The most important first."""
    model, steps = bench.model, bench.steps
    repeats = max(1, steps // SHORT)

    def row(
        what: str,
        how: str,
        work: Callable[[], object],
        pictures: int = 1,
        times: int = 1,
        warm: Callable[[], object] = lambda: None,
    ) -> None:
        def measure() -> dict[str, Figure]:
            with as_before(model) if how == "as before" else nullcontext(), residual_interpolation(model.unet):
                warm()
                return measured(model, work, times)

        named: dict[str, Figure] = {"model": family, "pixels": bench.side, "pictures": pictures, "what": what}
        table.add(measure, **named, how=how)

    direct, null = f"direct, {steps} steps", f"null, {steps} × {bench.updates}"
    once = partial(bench.whole, "direct", 1, steps)
    row(direct, "recorded, first", once)
    row(direct, "recorded", once)
    short = partial(bench.whole, "null", 1, SHORT)
    row(null, "recorded", partial(bench.whole, "null", 1, steps), warm=short)
    row(direct, "as before", once)
    row(null, "as before", short, times=repeats)
    four, short_four = partial(bench.whole, "direct", 4, steps), partial(bench.whole, "null", 4, SHORT)
    row(direct, "recorded", four, pictures=4, warm=partial(bench.whole, "direct", 4, SHORT))
    row(null, "recorded", short_four, pictures=4, times=repeats, warm=short_four)
    source = cache(lambda: bench.source("direct", 1, steps))
    swap, swapping = "one word swapped, direct", lambda: bench.swap(source())
    row(swap, "recorded, first", swapping, warm=source)
    row(swap, "recorded", swapping)
    row(swap, "as before", swapping)
    images = torch.rand(1, 3, bench.side, bench.side, device=model.device)
    back = lambda: model.decode(model.encode(images))  # noqa: E731
    row("autoencoder, both ways", "recorded", back, warm=back)


def low_memory(bench: Bench, table: Table, family: str) -> None:
    """Direct inversion from pixels to pixels where all but the UNet rests off the card; the last use of a model."""
    bench.model.forget_recordings()
    model = Model(bench.model.pipeline, family, low_memory=True)
    lean = replace(bench, model=model)
    images = torch.rand(1, 3, bench.side, bench.side, device=model.device)

    def picture_to_picture() -> object:
        return model.decode(edit(model, lean.source("direct", 1, bench.steps, model.encode(images))))

    def measure() -> dict[str, Figure]:
        with residual_interpolation(model.unet):
            return measured(model, picture_to_picture)

    for how in ("recorded, low memory, first", "recorded, low memory"):
        what = f"direct, {bench.steps} steps, from and to pixels"
        table.add(measure, model=family, pixels=bench.side, pictures=1, what=what, how=how)


def refinement(table: Table, frames: int, device: str) -> None:
    """What `blemish refine` does to drawn frames, all of it but the files."""
    from benchmarks.drawn_frames import drawn_dataset
    from diffusion_refine.synthesis.loop import frame_of
    from diffusion_refine.synthesis.refine.method import refine_synthesis
    from diffusion_refine.synthesis.refine.settings import RefineSettings

    torch.set_flush_denormal(True)  # as the command has it
    torch.set_num_threads(1)
    model = load_model(device=device)
    with tempfile.TemporaryDirectory() as folder:
        dataset = drawn_dataset(Path(folder) / "plate", "plate", frames, seed=2)
        synthesis = refine_synthesis(dataset, model, RefineSettings())

        def work() -> None:
            for index in range(frames):
                frame_of(synthesis, *synthesis.source.at(index))

        def per_frame() -> dict[str, Figure]:
            found = measured(model, work)
            return {**found, "seconds": float(found["seconds"] or 0) / frames, "note": f"a frame, mean of {frames}"}

        for how, context in (
            ("recorded, first", nullcontext()),
            ("recorded", nullcontext()),
            ("as before", as_before(model)),
        ):
            named: dict[str, Figure] = {
                "model": "embedded",
                "pixels": 128,
                "pictures": frames,
                "what": "refine, a frame",
            }
            with context:
                table.add(per_frame, **named, how=how)


def milliseconds(work: Callable[[], object], repeats: int) -> float:
    synchronize()
    begin = time.perf_counter()
    for _ in range(repeats):
        work()
    synchronize()
    return (time.perf_counter() - begin) / repeats * 1000


def variants(bench: Bench, table: Table, family: str, repeats: int, compiled: bool) -> None:
    """One call, and one with its way back to the embeddings, by how the network lies in memory and who computes it."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    model = bench.model
    latents, prompt = bench.latents(1), bench.prompt(PROMPT)
    first = (SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH)

    def there() -> object:
        with torch.no_grad():
            return model.noise(latents, 401, prompt)

    def and_back() -> object:
        embeddings = prompt.embeddings.clone().requires_grad_()
        pooled = None if prompt.pooled is None else prompt.pooled.clone().requires_grad_()
        made = model.noise(latents, 401, prompt.replace(embeddings=embeddings, pooled=pooled))
        return torch.autograd.grad(made.sum(), [embeddings, *([] if pooled is None else [pooled])])

    def measure() -> dict[str, Figure]:
        model.forget_recordings()
        model.unet.requires_grad_(False)
        found: dict[str, Figure] = {}
        with residual_interpolation(model.unet):
            for name, work in (("forward, ms", there), ("and backward, ms", and_back)):
                for _ in range(3):
                    work()
                found[name] = milliseconds(work, repeats)
        return found

    def row(variant: str, format: torch.memory_format, *, cudnn: bool = False, benchmark: bool = False) -> None:
        model.unet.to(memory_format=format)
        with (
            torch.backends.cudnn.flags(enabled=True, benchmark=benchmark),
            sdpa_kernel(list(first), set_priority=True) if cudnn else nullcontext(),
        ):
            table.add(measure, model=family, pixels=bench.side, pictures=1, what="one call", how=variant)

    row("channels last", torch.channels_last)
    row("channels first", torch.contiguous_format)
    row("channels last, cuDNN's attention first", torch.channels_last, cudnn=True)
    row("channels last, cuDNN measures its kernels", torch.channels_last, benchmark=True)
    row("channels last, both", torch.channels_last, cudnn=True, benchmark=True)
    with model.plainly():
        row("channels last, plain", torch.channels_last)
    if not compiled:
        return
    from diffusers.models.attention import BasicTransformerBlock
    from diffusers.models.resnet import ResnetBlock2D
    from torch import _dynamo

    _dynamo.config.cache_size_limit = 128  # shapes, with and without gradients
    for kind in (BasicTransformerBlock, ResnetBlock2D):
        for module in model.unet.modules():
            if isinstance(module, kind):
                module.compile(dynamic=False)
        begin = time.perf_counter()
        row(f"channels last, compiled up to {kind.__name__}", torch.channels_last)
        print(f"compiling and measuring took {time.perf_counter() - begin:.0f} s", flush=True)


def difference(found: Tensor, expected: Tensor) -> float:
    """Root mean square, relative to the expected tensor's."""
    distance = (found.double() - expected.double()).square().mean().sqrt()
    return float(distance / expected.double().square().mean().sqrt().clamp(min=1e-30))


def checks(bench: Bench, family: str, limit: float, pictures: int = 2) -> Iterator[dict[str, Figure]]:
    """Recorded calls, the third and later of their kind, beside plain ones, and those beside themselves."""
    model = bench.model
    batch, prompt = bench.latents(pictures), bench.prompt(PROMPT).expand(pictures)

    def compared(what: str, work: Callable[[], Sequence[Tensor]], limit: float = limit) -> dict[str, Figure]:
        with model.plainly():
            expected, again = work(), work()
        before = model.recorded
        work()
        found, once_more = work(), work()
        recorded = model.recorded > before
        far, usual = (max(difference(*pair) for pair in zip(made, expected, strict=True)) for made in (found, again))
        far = max(far, *(difference(*pair) for pair in zip(once_more, expected, strict=True)))
        right = recorded and far <= max(limit, 3 * usual)
        return {
            "model": family,
            "what": what,
            "recorded": "yes" if recorded else "no",
            "differs": far,
            "plain calls among themselves": usual,
            "at most": limit,
            "verdict": "right" if right else "WRONG",
        }

    def forwards() -> list[Tensor]:
        with torch.no_grad():
            return [model.noise(batch * scale, level, prompt) for scale, level in ((1, 801), (0.5, 401), (2, 11))]

    def gradients() -> list[Tensor]:
        found = []
        for scale, level in ((1, 801), (0.5, 401)):
            embeddings = (prompt.embeddings * scale).requires_grad_()
            pooled = None if prompt.pooled is None else (prompt.pooled * scale).requires_grad_()
            made = model.noise(batch, level, prompt.replace(embeddings=embeddings, pooled=pooled))
            wanted = [embeddings, *([] if pooled is None else [pooled])]
            found += torch.autograd.grad(made.square().mean(), wanted)
        return found

    def null() -> list[Tensor]:
        source = bench.source("null", pictures, SHORT)
        return [edit(model, source)]

    model.unet.requires_grad_(False)
    yield compared("forward", forwards)
    with residual_interpolation(model.unet, 0.1):
        yield compared("forward, RLI .1", forwards)
        yield compared("gradient, RLI .1", gradients)
    with residual_interpolation(model.unet, 0.3):
        yield compared("forward, RLI .3", forwards)
        yield compared(f"null, {SHORT} × {bench.updates}", null, 10 * limit)  # Adam's first steps amplify rounding
        source = bench.source("direct", 1, 5)
        yield compared("word swap", lambda: [bench.swap(source)], 10 * limit)  # type: ignore[list-item]


def check(given: argparse.Namespace, device: str) -> bool:
    """Whether recorded calls give what plain ones do; the table says where they do not."""
    begin, found = time.perf_counter(), list[dict[str, Figure]]()
    warnings.simplefilter("always", BlemishNote)  # why a call could not be recorded
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    tokenizer = build_tokenizer()

    def judged(bench: Bench, family: str, limit: float) -> None:
        for row in checks(bench, family, limit):
            found.append(row)
            print(f"[{time.perf_counter() - begin:5.1f} s] {row}", flush=True)

    for family in ("sd15",) if given.quick else ("sd15", "sdxl"):
        small = Model(build(family, tokenizer, cut=8, depth=2, sample_size=16, device=device), family)
        judged(Bench(small, 128, SHORT, 1 if given.quick else 2), f"{family}, small, float32", ROUNDING)
    torch.backends.cudnn.allow_tf32 = True
    if not given.quick:
        model = Model(build("sdxl", tokenizer, device=device, dtype=torch.bfloat16), "sdxl")
        judged(Bench(model, given.size or model.size, SHORT, 2), "sdxl, bfloat16", STALE)
    report(found, given.json)
    wrong = [row for row in found if row["verdict"] != "right"]
    print(f"{time.perf_counter() - begin:.0f} s: {len(found) - len(wrong)} of {len(found)} right", flush=True)
    return not wrong


def attempted(section: Callable[..., None], *arguments: object) -> None:
    """A part of the benchmark; where it fails, the others still come."""
    try:
        section(*arguments)
    except Exception as error:  # of whatever library
        print(f"{section.__name__} failed: {type(error).__name__}: {error}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare recorded calls with plain ones")
    parser.add_argument("--variants", action="store_true", help="only one call, by how it is computed")
    parser.add_argument("--quick", action="store_true", help="small shapes, on a processor where there is no card")
    parser.add_argument("--size", type=int, help="pixels a side; the family's own without it")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--updates", type=int, default=10)
    parser.add_argument("--family", choices=list(UNETS), help="this one alone")
    parser.add_argument("--frames", type=int, default=8, help="that are refined")
    parser.add_argument("--seconds", type=float, default=200, help="after which no row is begun")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if not torch.cuda.is_available() and not given.quick:
        sys.exit(
            "this benchmark measures full-size models on a GPU and found no CUDA device; run it on a machine that has "
            "one with 40 GB of memory or more, give --quick for small shapes on a processor, or see "
            "benchmarks/diffusion.py for the embedded model"
        )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(f"torch {torch.__version__}, {torch.cuda.get_device_name() if device == 'cuda' else device}", flush=True)
    if given.check:
        sys.exit(0 if check(given, device) else 1)
    table, tokenizer = Table(given.json, given.seconds), build_tokenizer()
    small = {"cut": 8, "depth": 1, "sample_size": 8} if given.quick else {}
    steps, updates = (2, 1) if given.quick else (given.steps, given.updates)
    families = (given.family,) if given.family else FAMILIES[:1] if given.quick else FAMILIES
    for family in families:
        dtype = torch.bfloat16 if device == "cuda" else torch.float32
        model = Model(build(family, tokenizer, device=device, dtype=dtype, **small), family)
        bench = Bench(model, given.size or model.size, steps, updates)
        weights = sum(weight.numel() for weight in model.unet.parameters()) / 1e9
        print(f"[{time.perf_counter() - table.begin:5.1f} s] {family} of {weights:.3g} G weights", flush=True)
        if not given.variants:
            attempted(rows, bench, table, family)
        attempted(variants, bench, table, family, 2 if given.quick else 10, given.variants and not given.quick)
        if not given.variants:
            attempted(low_memory, bench, table, family)
        del model, bench
        gc.collect()  # a model and what records its calls know one another
        if device == "cuda":
            torch.cuda.empty_cache()
        if not given.variants and family == families[0]:
            attempted(refinement, table, 1 if given.quick else given.frames, device)
    report(table.rows, given.json)


if __name__ == "__main__":
    main()
