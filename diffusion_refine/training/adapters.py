"""Training on one's own pictures: a model from nothing, one tuned whole, or one tuned by low-rank additions (LoRA).

Whatever it starts from, the result is a folder in diffusers' layout that `load_model` reads; additions are merged into
its weights, and kept beside them as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffusion_refine.core.models import Model, load_model
from diffusion_refine.training.autoencoder import AutoencoderPlan, encoded, set_latents, train_autoencoder
from diffusion_refine.training.crops import Crops, Style, draw_crops, read_pictures
from diffusion_refine.training.denoiser import DenoiserPlan, train_denoiser
from diffusion_refine.training.loop import write_whole
from diffusion_refine.training.model_shapes import Shape, build_pipeline
from diffusion_refine.training.saving import save_pipeline
from procgen.errors import BlemishError

SCRATCH = "scratch"  # a start from nothing
STATE, PLAN, ADDITIONS = "training", "plan.json", "lora"
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")  # what additions are made to
CROPS_A_PICTURE, FEWEST_CROPS, MOST_CROPS = 16, 256, 8000
RATES = {SCRATCH: 6e-4, "whole": 5e-5, "lora": 5e-4}

Progress = Callable[[str, int, int], None]


class TrainingError(BlemishError):
    """A training that cannot be begun, or not gone on with."""


@dataclass(frozen=True)
class Training:
    """What a training follows from, beside its pictures.

    start: "scratch", or a name that `load_model` takes. lora: train additions of `rank` to the attention alone.
    crops: pieces cut from the pictures; 16 a picture where None. caption: of every photograph; datasets of Blemish say
    what theirs show. turns: whether crops may be mirrored and turned by quarters. shape: of a model from nothing.
    """

    start: str = SCRATCH
    lora: bool = False
    steps: int = 2000
    autoencoder_steps: int = AutoencoderPlan.steps
    batch: int = 16
    rank: int = 8
    rate: float | None = None
    crops: int | None = None
    caption: str | None = None
    turns: bool = True
    seed: int = 0
    every: int = 100  # steps between checkpoints
    half: bool = False  # bfloat16 where it suffices
    shape: Shape = field(default_factory=Shape)

    @property
    def kind(self) -> str:
        """Which of RATES it is."""
        return "lora" if self.lora else SCRATCH if self.start == SCRATCH else "whole"


def train_diffusion(
    datasets: Sequence[Path],
    out: Path,
    training: Training,
    device: str | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Path:
    """Train, or go on with the training in `out`; the folder is then one that `load_model` reads.

    Stopped at any moment and begun again with the same arguments, it ends with the same bytes.

    Raises:
        TrainingError: additions to nothing, or a folder that holds something else.
        PicturesError, ModelError: what was given cannot be used.
    """
    if training.lora and training.start == SCRATCH:
        raise TrainingError("--lora adds to a model that is there; give one with --start, such as --start embedded")
    _begin(datasets, out, training)
    state = out / STATE
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    pipeline: Any
    if training.start == SCRATCH:
        pipeline = build_pipeline(training.shape, training.seed).to(device)
    else:
        pipeline = load_model(training.start, device, torch.float32).pipeline
    crops = _crops(datasets, Model(pipeline).size, training, progress)
    if training.start == SCRATCH:
        latents = _learn_latents(pipeline, crops, training, state, progress)
    else:
        latents = _latents(pipeline, crops, progress)
    for module in (pipeline.vae, pipeline.unet):
        module.requires_grad_(False)
    if training.lora:
        add_adapter(pipeline.unet, training.rank, training.seed)
    else:
        pipeline.unet.requires_grad_(True)
    train_denoiser(
        pipeline,
        latents,
        crops.captions,
        DenoiserPlan(
            steps=training.steps,
            batch=training.batch,
            rate=training.rate or RATES[training.kind],
            words=training.start == SCRATCH,
            seed=training.seed,
            half=training.half,
        ),
        state,
        lambda done: progress("denoiser", done, training.steps),
        every=training.every,
    )
    if training.lora:
        merge_adapter(pipeline, out / ADDITIONS)
    save_pipeline(pipeline, out)
    return out


def add_adapter(unet: Any, rank: int, seed: int) -> None:
    """Low-rank additions to the UNet's attention, nothing to begin with; they alone want gradients afterwards."""
    from peft import LoraConfig

    with torch.random.fork_rng():  # peft draws from the one generator of the program
        torch.manual_seed(seed)
        unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(ATTENTION), init_lora_weights=True))


def merge_adapter(pipeline: Any, folder: Path) -> None:
    """Keep the additions in a folder, as `load_lora_weights` of any pipeline reads them; add them to the weights."""
    from peft import get_peft_model_state_dict

    layers = {name: value.half() for name, value in get_peft_model_state_dict(pipeline.unet).items()}
    pipeline.save_lora_weights(folder, unet_lora_layers=layers)
    pipeline.unet.fuse_lora()
    pipeline.unet.unload_lora()


def _begin(datasets: Sequence[Path], out: Path, training: Training) -> None:
    """Write down what is being trained, or see that it is the same as what was begun."""
    wanted = json.loads(json.dumps({"datasets": [str(path) for path in datasets], **asdict(training)}))
    path = out / STATE / PLAN
    if path.is_file():
        begun = json.loads(path.read_text(encoding="utf-8"))
        changed = [name for name in wanted if begun.get(name) != wanted[name]]
        if changed:
            told = "; ".join(f"{name} was {begun.get(name)} and is {wanted[name]}" for name in changed)
            raise TrainingError(f"{out}: holds another training: {told}; repeat its command, or choose another --out")
        return
    if out.is_dir() and any(out.iterdir()):
        raise TrainingError(f"{out}: is not empty and holds no training; choose another --out")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, (json.dumps(wanted, indent=1) + "\n").encode())


def _crops(datasets: Sequence[Path], size: int, training: Training, progress: Progress) -> Crops:
    pictures = []
    for number, folder in enumerate(datasets):
        pictures += read_pictures(folder, training.caption)
        progress("reading", number + 1, len(datasets))
    count = training.crops or min(max(CROPS_A_PICTURE * len(pictures), FEWEST_CROPS), MOST_CROPS)
    style = Style(grey=0.0, light=0.08, turns=training.turns)
    return draw_crops(pictures, count, size, training.seed, style, lambda done: progress("crops", done, count))


def _learn_latents(pipeline: Any, crops: Crops, training: Training, state: Path, progress: Progress) -> Tensor:
    """Train the autoencoder of a model from nothing; the crops' latents."""
    plan = AutoencoderPlan(
        steps=training.autoencoder_steps,
        crop=min(AutoencoderPlan.crop, training.shape.size),
        seed=training.seed,
        half=training.half,
    )
    set_latents(pipeline.vae, crops, plan)
    latents = _latents(pipeline, crops, progress)
    train_autoencoder(
        pipeline.vae,
        crops,
        latents,
        plan,
        state,
        lambda done: progress("autoencoder", done, plan.linear + plan.steps),
        every=training.every,
    )
    return latents


def _latents(pipeline: Any, crops: Crops, progress: Progress) -> Tensor:
    with torch.no_grad():
        return encoded(pipeline.vae, crops.images, batch=8, on_image=lambda done: progress("latents", done, len(crops)))
