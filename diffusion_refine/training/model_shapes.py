"""Pipelines of diffusers' own classes with random weights, small enough to be trained on a processor.

Stable Diffusion XL's parts, two text encoders, pooled projection and size conditions, or Stable Diffusion's, at any
width. The autoencoder reduces a side by 4, not 8, because a scratch is a few pixels wide.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from diffusion_refine.training.tokenizer import build_tokenizer

GROUPS = 16
AUTOENCODER_GROUPS = 4  # few, so that a normalisation leaves a surface's level and contrast to be told
TIME_IDS = 6  # height and width twice, and where it was cropped, as SDXL tells them
NOISE = {
    "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
    "clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1, "prediction_type": "epsilon",
}  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """The widths of a pipeline.

    size: pixels a side. autoencoder, unet: channels from fine to coarse, multiples of 16; each level halves the side.
    The autoencoder's grow from level to level, and hold three colours of a block's pixels (`linear_autoencoder.py`).
    The UNet attends at every level but the finest, `head` channels a head. text: width of one text encoder.
    """

    family: Literal["sdxl", "sd"] = "sdxl"
    size: int = 128
    autoencoder: tuple[int, ...] = (32, 64, 96)
    latent_channels: int = 8
    unet: tuple[int, ...] = (32, 64, 128)
    head: int = 32
    text: int = 64
    text_layers: int = 2
    time: int = 32

    @property
    def factor(self) -> int:
        """Pixels a side of a latent texel."""
        return 1 << (len(self.autoencoder) - 1)


@contextmanager
def random_start(seed: int) -> Iterator[None]:
    """Within it the libraries' layers begin as a seed says: they draw from the one generator of the program."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def build_pipeline(shape: Shape, seed: int = 0) -> Any:
    """A StableDiffusionXLPipeline or StableDiffusionPipeline with the libraries' random start, drawn from a seed."""
    tokenizer = build_tokenizer()
    with random_start(seed):
        parts = {
            "vae": build_autoencoder(shape),
            "unet": _unet(shape),
            "text_encoder": _encoder(shape, tokenizer, False),
        }
        if shape.family == "sdxl":
            parts["text_encoder_2"] = _encoder(shape, tokenizer, True)
    scheduler = DDIMScheduler(**NOISE)
    if shape.family == "sd":
        return StableDiffusionPipeline(
            **parts,
            tokenizer=tokenizer,
            scheduler=scheduler,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    second = copy.deepcopy(tokenizer)
    second.pad_token = second.convert_ids_to_tokens(0)  # "!", as the published one pads
    return StableDiffusionXLPipeline(
        **parts,
        tokenizer=tokenizer,
        tokenizer_2=second,
        scheduler=scheduler,
        force_zeros_for_empty_prompt=False,
        add_watermarker=False,
    )


def build_autoencoder(shape: Shape) -> AutoencoderKL:
    """The autoencoder alone, from torch's global generator; without attention, so that it sees every part alike."""
    levels = len(shape.autoencoder)
    return AutoencoderKL(
        latent_channels=shape.latent_channels,
        block_out_channels=shape.autoencoder,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=1,
        norm_num_groups=AUTOENCODER_GROUPS,
        mid_block_add_attention=False,
        sample_size=shape.size,
        scaling_factor=1.0,  # the encoder gives latents of unit variance
    )


def _unet(shape: Shape) -> UNet2DConditionModel:
    coarse = len(shape.unet) - 1
    width = shape.text * (2 if shape.family == "sdxl" else 1)
    sizes: dict[str, Any] = {}
    if shape.family == "sdxl":
        sizes = {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": shape.time,
            "projection_class_embeddings_input_dim": TIME_IDS * shape.time + shape.text,
        }
    return UNet2DConditionModel(
        sample_size=shape.size // shape.factor,
        in_channels=shape.latent_channels,
        out_channels=shape.latent_channels,
        block_out_channels=shape.unet,
        down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * coarse,
        up_block_types=("CrossAttnUpBlock2D",) * coarse + ("UpBlock2D",),
        layers_per_block=1,
        attention_head_dim=tuple(channels // shape.head for channels in shape.unet),  # diffusers' name; it counts heads
        cross_attention_dim=width,
        norm_num_groups=GROUPS,
        use_linear_projection=True,
        **sizes,
    )


def _encoder(shape: Shape, tokenizer: CLIPTokenizer, projects: bool) -> CLIPTextModel | CLIPTextModelWithProjection:
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.text,
        intermediate_size=4 * shape.text,
        projection_dim=shape.text,
        num_hidden_layers=shape.text_layers,
        num_attention_heads=max(1, shape.text // 32),
        max_position_embeddings=tokenizer.model_max_length,
        hidden_act="gelu" if projects else "quick_gelu",
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return (CLIPTextModelWithProjection if projects else CLIPTextModel)(config)
