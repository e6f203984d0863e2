"""A latent diffusion model as the methods see it: text to embeddings, pictures to latents and back, and noise."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline, StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel
from diffusers.utils import logging as diffusers_logging
from torch import Tensor, nn
from transformers.utils import logging as transformers_logging

from diffusion_refine.core.acceleration import Runner, hooked
from diffusion_refine.core.attention import attention_kind, attention_layers, steering_of
from diffusion_refine.core.verify import INDEX, model_damages
from procgen.errors import BlemishError

EMBEDDED = "embedded"  # the model that this package trained on its own renders
EMBEDDED_FOLDER = Path(__file__).parents[1] / "embedded" / "weights"
EMBEDDED_PAINTER = Path(__file__).parents[1] / "embedded" / "painter"  # a UNet for the other parts of that model
PIPELINES = {"StableDiffusionPipeline": StableDiffusionPipeline, "StableDiffusionXLPipeline": StableDiffusionXLPipeline}
# In-painting models differ from these in what their UNet is given, and diffusers' class says how it is sampled.
PAINTERS = {
    **PIPELINES,
    "StableDiffusionInpaintPipeline": StableDiffusionPipeline,
    "StableDiffusionXLInpaintPipeline": StableDiffusionXLPipeline,
}
# Of Stable Diffusion 1.x; they look at finished pictures and have no part in making them.
CHECKERS = {"safety_checker": None, "feature_extractor": None, "image_encoder": None, "requires_safety_checker": False}


TILE = 512  # pixels a side of what the autoencoder sees at once where memory is low
RECORDED_PIXELS = 1 << 18  # of pictures that the autoencoder sees at once


class ModelError(BlemishError):
    """A diffusion model that cannot be used."""


@dataclass
class CallCounter:
    """What a method cost: calls of the UNet on a batch, pictures in those batches, and backward passes."""

    forwards: int = 0
    samples: int = 0
    backwards: int = 0


@dataclass(frozen=True)
class Prompt:
    """Conditions of B pictures, all float32: embeddings (B, L, D); SDXL also pooled (B, P) and time_ids (B, 6)."""

    embeddings: Tensor
    pooled: Tensor | None
    time_ids: Tensor | None
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.embeddings)

    def __getitem__(self, index: int | slice) -> Prompt:
        """The conditions of one picture, or of several; always a batch."""
        chosen = slice(index, index + 1 or None) if isinstance(index, int) else index
        pooled, time_ids = (None if part is None else part[chosen] for part in (self.pooled, self.time_ids))
        return Prompt(self.embeddings[chosen], pooled, time_ids, self.texts[chosen])

    def expand(self, count: int) -> Prompt:
        """One prompt for each of `count` pictures.

        Raises:
            ValueError: it is several prompts already, and not `count`.
        """
        if len(self) == count:
            return self
        if len(self) != 1:
            raise ValueError(f"{len(self)} prompts cannot serve {count} pictures; give one, or one for each")
        return Prompt.stack([self] * count)

    def replace(self, **parts: Tensor | tuple[str, ...] | None) -> Prompt:
        """With other embeddings, pooled embedding, time ids or texts."""
        return dataclasses.replace(self, **parts)  # type: ignore[arg-type]

    @staticmethod
    def stack(prompts: Sequence[Prompt]) -> Prompt:
        """One batch of several, in their order."""

        def joined(parts: list[Tensor | None]) -> Tensor | None:
            tensors = [part for part in parts if part is not None]
            return torch.cat(tensors) if tensors else None

        return Prompt(
            torch.cat([prompt.embeddings for prompt in prompts]),
            joined([prompt.pooled for prompt in prompts]),
            joined([prompt.time_ids for prompt in prompts]),
            sum((prompt.texts for prompt in prompts), ()),
        )


class Model:
    """A pipeline of diffusers, Stable Diffusion 1.x, 2.x or SDXL, seen as the functions that the methods need.

    Latents, embeddings and predicted noise are float32 whatever the weights are; the autoencoder is float32 itself,
    because half precision costs it what the methods gain. `size`: pixels a side that it was trained at; `factor`:
    pixels a side of one latent texel; `calls`: what was asked of the UNet since it was last set to `CallCounter()`.
    low_memory: only the UNet stays on the card; the text encoders and the autoencoder come to it for as long as they
    work, and the autoencoder takes pictures one by one, large ones in overlapping tiles. `paints`: whether it is an
    in-painting model, whose UNet sees a hole and what is around it beside the latents; see `editing.painting`.

    Raises:
        ModelError: a model for another task, or one distilled to do without guidance.
    """

    def __init__(self, pipeline: Any, name: str = "", low_memory: bool = False) -> None:
        self.pipeline, self.name = pipeline, name or type(pipeline).__name__
        self.unet, self.vae = pipeline.unet, pipeline.vae
        self.family = "sdxl" if isinstance(pipeline, StableDiffusionXLPipeline) else "sd"
        self.factor: int = pipeline.vae_scale_factor
        self.latent_channels: int = self.vae.config.latent_channels
        self.size = side_of(pipeline)
        self.calls = CallCounter()
        self.paints = self.unet.config.in_channels == painter_channels(self.latent_channels)
        if not self.paints and self.unet.config.in_channels != self.latent_channels:
            raise ModelError(
                f"{self.name}: its UNet takes {self.unet.config.in_channels} channels for {self.latent_channels} of "
                "latents; give a text-to-image model"
            )
        if self.unet.config.time_cond_proj_dim is not None:
            raise ModelError(f"{self.name}: a model distilled to do without guidance cannot be inverted; give its base")
        nn.Module.float(self.vae)  # without the remark of diffusers' own
        for module in pipeline.components.values():
            if isinstance(module, nn.Module):
                module.eval()
        if self.unet.conv_in.weight.device.type == "cuda":  # a card's convolutions want channels beside each other
            for module in (self.unet, self.vae):
                module.to(memory_format=torch.channels_last)
        self.low_memory = low_memory
        if low_memory:
            self.vae.enable_slicing()
            self.vae.enable_tiling()
            self.vae.tile_sample_min_size = min(TILE, self.vae.tile_sample_min_size)
            self.vae.tile_latent_min_size = self.vae.tile_sample_min_size // self.factor
            for module in (self.vae, *self._text_encoders):
                module.to("cpu")
        # Looked up once: a walk through the modules of a large model takes longer than a card needs for a small one.
        self._layers = attention_layers(self.unet)
        self._modules, self._weights = list(self.unet.modules()), list(self.unet.parameters())
        self.predictions, self.encodings, self.decodings = (
            Runner(function) for function in (self._predicted, self._encoded, self._decoded)
        )

    @property
    def device(self) -> torch.device:
        device: torch.device = self.unet.conv_in.weight.device
        return device

    @property
    def dtype(self) -> torch.dtype:
        """Of the UNet's weights."""
        dtype: torch.dtype = self.unet.conv_in.weight.dtype
        return dtype

    @torch.no_grad()
    def encode_prompt(self, texts: Sequence[str], size: tuple[int, int] | None = None) -> Prompt:
        """Conditions of B texts; "" is encoded as any other, never zeroed.

        size: height and width in pixels of the pictures, which SDXL is told; the model's own when None.
        """
        with self._at_work(*self._text_encoders):
            found = self.pipeline.encode_prompt(
                list(texts), device=self.device, num_images_per_prompt=1, do_classifier_free_guidance=False
            )
        embeddings = found[0].float()
        if self.family == "sd":
            return Prompt(embeddings, None, None, tuple(texts))
        pooled = found[2].float()
        side = size or (self.size, self.size)
        time_ids = self.pipeline._get_add_time_ids(
            side, (0, 0), side, torch.float32, text_encoder_projection_dim=pooled.shape[-1]
        )
        return Prompt(embeddings, pooled, time_ids.to(self.device).expand(len(pooled), -1), tuple(texts))

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Latents (B, C, H/factor, W/factor), float32, of images (B, 3, H, W) of values 0 to 1: the posterior's mode.

        Raises:
            ModelError: a side that is no whole number of the UNet's coarsest texels.
        """
        height, width = images.shape[-2:]
        if height % self.factor or width % self.factor:
            raise ModelError(
                f"a picture of {width} × {height} pixels cannot be encoded by {self.name}; give sides that are "
                f"multiples of {self.factor}, better of {coarsest_of(self.pipeline)}"
            )
        with self._at_work(self.vae):
            (found,) = self.encodings(self._picture_kind(images), images.to(self.device, torch.float32))
        mean, deviation = self._statistics()
        return (found - mean) / deviation

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Images (B, 3, H, W) of values 0 to 1, float32, of latents (B, C, h, w)."""
        mean, deviation = self._statistics()
        scaled = latents.to(self.device, torch.float32) * deviation + mean
        with self._at_work(self.vae):
            (found,) = self.decodings(self._picture_kind(latents, self.factor), scaled)
        return found

    def noise(self, latents: Tensor, timestep: Tensor | int, conditions: Prompt) -> Tensor:
        """Predicted noise ε, float32 (B, C, h, w), in latents of one timestep; one call of the UNet.

        Gradients flow through it to the conditions; a prediction of velocity is turned into one of noise. The latents
        of a model that paints are followed by their hole (1 channel) and by those of the picture without it.
        """
        self.calls.forwards += 1
        self.calls.samples += len(latents)
        conditions = conditions.expand(len(latents))
        level = torch.full((), int(timestep), device=latents.device)
        inputs = [latents, level, conditions.embeddings]
        if conditions.pooled is not None and conditions.time_ids is not None:
            inputs += [conditions.pooled, conditions.time_ids]
        steering = steering_of(self._layers)
        if steering is not None:
            inputs += steering.given(latents.device)
        found, *kept = self.predictions(self._call_kind(steering is not None), *inputs)
        if steering is not None:
            steering.take(kept)
        if self.pipeline.scheduler.config.prediction_type == "v_prediction":
            alpha = float(self.pipeline.scheduler.alphas_cumprod[int(timestep)])
            return found * float(alpha**0.5) + latents[:, : found.shape[1]] * float((1 - alpha) ** 0.5)
        return found

    @property
    def _text_encoders(self) -> list[nn.Module]:
        both = (getattr(self.pipeline, name, None) for name in ("text_encoder", "text_encoder_2"))
        return [encoder for encoder in both if encoder is not None]

    @contextmanager
    def _at_work(self, *modules: nn.Module) -> Iterator[None]:
        """Within it these modules are where the UNet is."""
        for module in modules if self.low_memory else ():
            module.to(self.device)
        try:
            yield
        finally:
            for module in modules if self.low_memory else ():
                module.to("cpu")

    @contextmanager
    def plainly(self) -> Iterator[None]:
        """Within it every call is made as it is, none recorded or repeated."""
        with ExitStack() as stack:
            for runner in self._runners:
                stack.enter_context(runner.plainly())
            yield

    @property
    def recorded(self) -> int:
        """How many kinds of calls are repeated from recordings."""
        return sum(runner.recorded for runner in self._runners)

    @property
    def _runners(self) -> tuple[Runner, ...]:
        return self.predictions, self.encodings, self.decodings

    def forget_recordings(self) -> None:
        """To be told where layers or weights of the UNet or the autoencoder were replaced, not where they were set."""
        self._layers = attention_layers(self.unet)
        self._modules, self._weights = list(self.unet.modules()), list(self.unet.parameters())
        for runner in self._runners:
            runner.forget()

    def _predicted(self, latents: Tensor, level: Tensor, embeddings: Tensor, *more: Tensor) -> tuple[Tensor, ...]:
        """What the UNet says, float32, of latents of a timestep () int64, and what whoever steers it keeps.

        more: SDXL's pooled embeddings and time ids, and what steers the attention.
        """
        named: dict[str, Any] = {}
        if self.family == "sdxl":
            pooled, time_ids, *more = more  # type: ignore[assignment]
            named["added_cond_kwargs"] = {"text_embeds": pooled.to(self.dtype), "time_ids": time_ids.to(self.dtype)}
        steering = steering_of(self._layers)
        shape = (latents.shape[-2], latents.shape[-1])
        with nullcontext([]) if steering is None else steering.steering(shape, tuple(more)) as kept:
            found = self.unet(
                latents.to(self.dtype),
                level,
                encoder_hidden_states=embeddings.to(self.dtype),
                return_dict=False,
                **named,
            )[0]
        return found.float(), *kept

    def _encoded(self, images: Tensor) -> tuple[Tensor, ...]:
        return (self.vae.encode(images * 2 - 1).latent_dist.mode(),)

    def _decoded(self, latents: Tensor) -> tuple[Tensor, ...]:
        return ((self.vae.decode(latents, return_dict=False)[0] / 2 + 0.5).clamp(0, 1),)

    def _call_kind(self, steered: bool) -> Hashable | None:
        """What a prediction depends on beside its inputs; None where a recording could not stand for it."""
        if hooked(self._modules):
            return None
        if torch.is_grad_enabled() and (steered or any(weight.requires_grad for weight in self._weights)):
            return None  # gradients flow from the prediction alone, and to what is given alone
        attention = attention_kind(self._layers)
        weight = self.unet.conv_in.weight
        return None if attention is None else (attention, weight.dtype, weight.data_ptr())

    def _picture_kind(self, batch: Tensor, factor: int = 1) -> Hashable | None:
        """Likewise of the autoencoder; None for what is so large that naming its kernels takes no time beside it."""
        weight = next(self.vae.parameters())
        small = len(batch) * batch.shape[-2] * batch.shape[-1] * factor**2 <= RECORDED_PIXELS
        return (weight.dtype, weight.data_ptr()) if small and not self.low_memory else None

    def _statistics(self) -> tuple[Tensor | float, Tensor | float]:
        """Mean and deviation of the autoencoder's latents, which bring them to unit variance."""
        config = self.vae.config
        scale = 1 / config.scaling_factor
        if getattr(config, "latents_mean", None) is not None and getattr(config, "latents_std", None) is not None:
            mean, deviation = (
                torch.tensor(values, device=self.device).view(1, -1, 1, 1)
                for values in (config.latents_mean, config.latents_std)
            )
            return mean, deviation * scale
        return getattr(config, "shift_factor", None) or 0.0, scale


@contextmanager
def frozen(*modules: nn.Module) -> Iterator[None]:
    """Without gradients for the modules' weights; afterwards every parameter is as it was."""
    parameters = [parameter for module in modules for parameter in module.parameters()]
    before = [parameter.requires_grad for parameter in parameters]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter, wanted in zip(parameters, before, strict=True):
            parameter.requires_grad_(wanted)


def device_of_choice(device: str | None) -> str:
    """The device that is named; where none is, a card where there is one."""
    return device or ("cuda" if torch.cuda.is_available() else "cpu")


def side_of(pipeline: Any) -> int:
    """Pixels a side that a pipeline of diffusers was trained at."""
    sample = pipeline.unet.config.sample_size
    side: int = (sample if isinstance(sample, int) else max(sample)) * pipeline.vae_scale_factor
    return side


def coarsest_of(pipeline: Any) -> int:
    """Pixels a side of the texels of its UNet's lowest level, of which a picture's sides are better multiples."""
    factor: int = pipeline.vae_scale_factor
    return factor << len(pipeline.unet.config.block_out_channels) - 1


def painter_channels(latent_channels: int) -> int:
    """That the UNet of an in-painting model takes: latents, a hole, and the latents of the picture without it."""
    return 2 * latent_channels + 1


def is_hub_id(name: str) -> bool:
    """Whether a name that is no folder may be that of a model of the hub."""
    return not Path(name).is_absolute() and not name.startswith((".", "~")) and name.count("/") == 1


def name_in_records(name: str) -> str:
    """The id of a model, or the last part of its folder: a record holds no path."""
    return Path(name).name if Path(name).is_dir() else name


def dtype_on(device: str) -> torch.dtype:
    """That weights are loaded as where nothing else is asked: bfloat16 on CUDA, float32 elsewhere."""
    return torch.bfloat16 if device.startswith("cuda") else torch.float32


def load_model(
    name: str = EMBEDDED,
    device: str | None = None,
    dtype: torch.dtype | None = None,
    low_memory: bool = False,
    fetch: bool = True,
) -> Model:
    """The embedded model, one from a folder in diffusers' layout, or one of the hub by its id; safetensors only.

    device: "cuda" where there is one, else "cpu". dtype: of the weights; bfloat16 on CUDA, float32 elsewhere.
    low_memory: as `Model` has it. fetch: from the hub what its cache on this machine lacks.

    Raises:
        ModelError: absent, unreachable, of another kind, or weights that cannot be read.
    """
    model = _loaded(name, device, dtype, low_memory, fetch, PIPELINES)
    if model.paints:
        raise ModelError(f"{name}: is an in-painting model; give a text-to-image model, and this one as --painter")
    return model


def load_painter(
    name: str = EMBEDDED,
    device: str | None = None,
    dtype: torch.dtype | None = None,
    low_memory: bool = False,
    fetch: bool = True,
) -> Model:
    """Likewise an in-painting model, one that `paints`; "embedded" is the one trained from the embedded model.

    Raises ModelError, as for a model that does not paint.
    """
    unet = EMBEDDED_PAINTER if name == EMBEDDED else None
    model = _loaded(name, device, dtype, low_memory, fetch, PAINTERS, unet)
    if not model.paints:
        raise ModelError(
            f"{name}: does not paint: its UNet takes latents alone; give an in-painting model, or train one with "
            "`blemish train-generator diffusion --painter`"
        )
    return model


def load_either(name: str, device: str | None = None, dtype: torch.dtype | None = None) -> Model:
    """A text-to-image model, or an in-painting one; "embedded" is the former. Raises ModelError, as `load_model`."""
    return _loaded(name, device, dtype, False, True, PAINTERS)


def _loaded(
    name: str,
    device: str | None,
    dtype: torch.dtype | None,
    low_memory: bool,
    fetch: bool,
    kinds: Mapping[str, Any],
    own_unet: Path | None = None,
) -> Model:
    """kinds: of `PIPELINES` or `PAINTERS`. own_unet: a folder with the UNet that takes the place of the model's own."""
    where = EMBEDDED_FOLDER if name == EMBEDDED else Path(name)
    local = where.is_dir()
    if not local and (name == EMBEDDED or not is_hub_id(name)):
        raise ModelError(f"{where}: no such folder; give a folder with a model_index.json, a hub id, or {EMBEDDED}")
    source = str(where) if local else name
    if local and not (where / INDEX).is_file():
        raise ModelError(f"{where}: holds no {INDEX}; give a folder that diffusers saved a pipeline into")
    if local and (damage := next(model_damages(where), None)):
        raise ModelError(f"{damage}; restore it, or run the command that trained it again")
    try:
        with quietly():
            index = DiffusionPipeline.load_config(source, local_files_only=not fetch)
    except (OSError, ValueError, json.JSONDecodeError) as error:
        if not local and not fetch:
            raise ModelError(
                f"{name}: is not in the hub's cache on this machine; fetch it, or give a folder"
            ) from error
        hint = "mend or replace it" if local else "check the id and the network, or give a folder"
        raise ModelError(f"{name}: its model_index.json could not be had ({brief(error)}); {hint}") from error
    kind = index.get("_class_name")
    if kind not in kinds:
        wanted = "an in-painting model" if kinds is PAINTERS else "a text-to-image model"
        raise ModelError(f"{name}: is a {kind}, allowed are {' and '.join(kinds)}; give {wanted}")
    chosen = device_of_choice(device)
    kept = dtype or dtype_on(chosen)
    given: dict[str, Any] = CHECKERS if kinds[kind] is StableDiffusionPipeline else {}
    try:
        with quietly():
            if own_unet is not None:
                unet = UNet2DConditionModel.from_pretrained(own_unet, torch_dtype=kept, use_safetensors=True)
                given = {**given, "unet": unet}
            pipeline = kinds[kind].from_pretrained(
                source, torch_dtype=kept, use_safetensors=True, local_files_only=local or not fetch, **given
            )
        return Model(pipeline.to(chosen), name, low_memory)
    except ModelError:
        raise
    except Exception as error:  # of many libraries, with no common ancestor
        raise ModelError(
            f"{name}: its weights could not be loaded ({brief(error)}); give complete safetensors in diffusers' layout"
        ) from error


@contextmanager
def quietly() -> Iterator[None]:
    """Without the libraries' progress bars and remarks at every load and save; errors come through."""
    libraries = (diffusers_logging, transformers_logging)
    levels = [library.get_verbosity() for library in libraries]
    shown = [library.is_progress_bar_enabled() for library in libraries]
    for library in libraries:
        library.set_verbosity_error()
        library.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for library, level, bars in zip(libraries, levels, shown, strict=True):
            library.set_verbosity(level)
            if bars:
                library.enable_progress_bar()


def brief(error: BaseException) -> str:
    """The first line of an error, for one of ours."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
