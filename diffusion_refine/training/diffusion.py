"""Training on one's own pictures: a model from nothing, one tuned whole, or one tuned by low-rank additions.

Whatever it starts from, the result is a folder in diffusers' layout that `load_model` reads; additions are merged into
its weights, and kept beside them as well.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffusion_refine.core.models import EMBEDDED, Model, coarsest_of, device_of_choice, load_either, load_model
from diffusion_refine.core.verify import INDEX, STATE, damages, digest_of_model
from diffusion_refine.training.adapters import add_adapter, merge_adapter
from diffusion_refine.training.autoencoder import AutoencoderSettings, encoded, set_latents, train_autoencoder
from diffusion_refine.training.crops import (
    Crops,
    CropSettings,
    crops_of,
    digest_of_pictures,
    draw_crops,
    read_pictures,
    stands_out,
)
from diffusion_refine.training.denoiser import DenoiserSettings, train_denoiser
from diffusion_refine.training.holes import holes_over, surroundings_of, widen
from diffusion_refine.training.model_shapes import Shape, build_pipeline
from diffusion_refine.training.saving import model_in, remove_unfinished, save_pipeline
from procgen.errors import BlemishError, BlemishNote
from scenes.datasets.files import is_temporary, remove_leftovers
from scenes.datasets.lock import locked
from scenes.jobs.checkpoints import begin
from scenes.jobs.progress import Progress
from scenes.pictures.decoding import MOST_PIXELS
from scenes.pictures.reading import ReadingOptions

SCRATCH = "scratch"  # a start from nothing
SETTINGS, ADDITIONS = "settings.json", "lora"
CROPS_A_PICTURE = 16
RATES = {SCRATCH: 6e-4, "whole": 5e-5, "lora": 5e-4, "painter": 4e-4}


class TrainingError(BlemishError):
    """A training that cannot be begun, or not gone on with."""


@dataclass(frozen=True)
class DiffusionSettings:
    """What a training follows from, beside its pictures.

    start: "scratch", or a name that `load_model` takes. lora: train additions of `rank` to the attention alone.
    crops: pieces cut from the pictures; 16 a picture where None. caption: of every photograph; datasets of Blemish say
    what theirs show. white_level: of photographs of more than 8 bits, else found. turns: whether crops may be mirrored
    and turned by quarters. shape: of a model from nothing. defects: how much more of the loss is of a defect's texels,
    of a painter's a hole's. painter: whether it learns to paint into holes; it begins with a text-to-image model or
    with another painter. side: pixels a side of the pieces, where it is not the model's own.
    """

    start: str = SCRATCH
    lora: bool = False
    steps: int = 2000
    autoencoder_steps: int = AutoencoderSettings.steps
    batch: int = 16
    rank: int = 8
    rate: float | None = None
    crops: int | None = None
    caption: str | None = None
    white_level: float | None = None
    turns: bool = True
    seed: int = 0
    every: int = 100  # steps between checkpoints
    half: bool = False  # bfloat16 where it suffices
    shape: Shape = field(default_factory=Shape)
    defects: float = 0.0
    painter: bool = False
    side: int | None = None

    @property
    def kind(self) -> str:
        """Which of RATES it is."""
        if self.painter:
            return "painter"
        return "lora" if self.lora else SCRATCH if self.start == SCRATCH else "whole"


def train_diffusion(
    datasets: Sequence[Path],
    out: Path,
    settings: DiffusionSettings,
    device: str | None = None,
    progress: Progress = lambda what, done, total: None,
    most_pixels: int = MOST_PIXELS,
) -> Path:
    """Train, or go on with the training in `out`; the folder is then one that `load_model` reads.

    most_pixels: a larger photograph is refused. Stopped at any moment and begun again with the same arguments, it ends
    with the same bytes.

    Raises:
        TrainingError: additions to nothing, or a folder that holds no training.
        CheckpointError: a folder that holds another one.
        DatasetError: a folder that cannot be written, or that another process writes.
        PicturesError, ModelError: what was given cannot be used.
    """
    if settings.lora and settings.start == SCRATCH:
        raise TrainingError("--lora adds to a model that is there; give one with --start, such as --start embedded")
    if settings.side is not None and settings.start == SCRATCH:
        raise TrainingError("--side is of pieces for a model that is there; a model from nothing has --size")
    if settings.painter and (settings.lora or settings.start == SCRATCH):
        raise TrainingError("--painter goes on from a whole model; give one with --start, and leave out --lora")
    with locked(out):
        return _train(datasets, out, settings, device, progress, ReadingOptions(settings.white_level, most_pixels))


def _train(
    datasets: Sequence[Path],
    out: Path,
    settings: DiffusionSettings,
    device: str | None,
    progress: Progress,
    options: ReadingOptions,
) -> Path:
    state = out / STATE
    written = state / SETTINGS
    wanted = {
        "datasets": [digest_of_pictures(folder) for folder in datasets], **asdict(settings),
        "start": _start_as_written(settings.start),
    }  # fmt: skip
    for name in ("painter", "side"):  # so that trainings begun before there were any can be gone on with
        if not wanted[name]:
            del wanted[name]
    if state.is_dir():
        remove_leftovers(state, even_of_the_living=True)  # none lives that may write here
    if written.is_file():
        begin(written, wanted)
        if (out / INDEX).is_file() and not any(damages(out)):
            remove_unfinished(out)
            return out
    elif any(not is_temporary(entry.name) and not _is_empty(entry) for entry in out.iterdir()):
        raise TrainingError(f"{out}: is not empty and holds no training; choose another --out")
    device = device_of_choice(device)
    pipeline: Any
    if settings.start == SCRATCH:
        pipeline = build_pipeline(settings.shape, settings.seed).to(device)
    else:
        load = load_either if settings.painter else load_model
        pipeline = load(settings.start, device, torch.float32).pipeline
    if settings.side is not None and settings.side % coarsest_of(pipeline):
        raise TrainingError(f"--side: found {settings.side}; expected a multiple of {coarsest_of(pipeline)}")
    crops = _crops(datasets, settings.side or Model(pipeline).size, settings, progress, options)
    begin(written, wanted)  # not before all that was given proved usable
    if settings.start == SCRATCH:
        latents = _learn_latents(pipeline, crops, settings, state, progress)
    else:
        latents = _latents(pipeline, crops, progress)
    masks, known = crops.masks, None
    if settings.painter:
        masks = holes_over(crops.masks, settings.seed)
        known = surroundings_of(pipeline, crops, masks)
        widen(pipeline.unet, pipeline.vae.config.latent_channels)
    for module in (pipeline.vae, pipeline.unet):
        module.requires_grad_(False)
    if settings.lora:
        add_adapter(pipeline.unet, settings.rank, settings.seed)
    else:
        pipeline.unet.requires_grad_(True)
    train_denoiser(
        pipeline,
        latents,
        crops.captions,
        DenoiserSettings(
            steps=settings.steps,
            batch=settings.batch,
            rate=settings.rate or RATES[settings.kind],
            words=settings.start == SCRATCH,
            seed=settings.seed,
            half=settings.half,
            defects=settings.defects,
        ),
        state,
        lambda done: progress("denoiser", done, settings.steps),
        every=settings.every,
        masks=masks,
        known=known,
    )
    with model_in(out, STATE) as part:
        if settings.lora:
            merge_adapter(pipeline, part / ADDITIONS)
        save_pipeline(pipeline, part)
    return out


def _is_empty(path: Path) -> bool:
    """Whether it is a folder without anything in it, such as one whose writer died before it wrote."""
    return path.is_dir() and not any(path.iterdir())


def _start_as_written(start: str) -> str | dict[str, str]:
    """What tells a start from others: of a folder its content, not where it lies."""
    folder = Path(start)
    is_folder = start not in (SCRATCH, EMBEDDED) and folder.is_dir()
    return {"sha256": digest_of_model(folder)} if is_folder else start


def _crops(
    datasets: Sequence[Path], size: int, settings: DiffusionSettings, progress: Progress, options: ReadingOptions
) -> Crops:
    pictures = []
    for number, folder in enumerate(datasets):
        pictures += read_pictures(folder, settings.caption, options)
        progress("reading", number + 1, len(datasets))
    if settings.painter:
        shown = [picture for picture in pictures if stands_out(picture)]
        if len(shown) < len(pictures):
            hidden = len(pictures) - len(shown)
            warnings.warn(f"{hidden} pictures whose defects can hardly be seen are left out", BlemishNote, stacklevel=2)
        pictures = shown
    count = settings.crops or crops_of(len(pictures), CROPS_A_PICTURE)
    style = CropSettings(grey=0.0, light=0.08, turns=settings.turns)
    return draw_crops(pictures, count, size, settings.seed, style, lambda done: progress("crops", done, count))


def _learn_latents(pipeline: Any, crops: Crops, settings: DiffusionSettings, state: Path, progress: Progress) -> Tensor:
    """Train the autoencoder of a model from nothing; the crops' latents."""
    autoencoder_settings = AutoencoderSettings(
        steps=settings.autoencoder_steps,
        crop=min(AutoencoderSettings.crop, settings.shape.size),
        seed=settings.seed,
        half=settings.half,
    )
    set_latents(pipeline.vae, crops, autoencoder_settings)
    latents = _latents(pipeline, crops, progress)
    train_autoencoder(
        pipeline.vae,
        crops,
        latents,
        autoencoder_settings,
        state,
        lambda done: progress("autoencoder", done, autoencoder_settings.linear + autoencoder_settings.steps),
        every=settings.every,
    )
    return latents


def _latents(pipeline: Any, crops: Crops, progress: Progress) -> Tensor:
    with torch.no_grad():
        return encoded(pipeline.vae, crops.images, batch=8, on_image=lambda done: progress("latents", done, len(crops)))
