"""The published shapes of Stable Diffusion 1.5, 2.1 (768) and XL, whole or cut down, with weights drawn from a seed.

With them the methods are tested on every family and their cost at full size is measured, without anyone's weights.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

VOCABULARY = 49408  # tokens of CLIP
LENGTH = 77  # tokens of a prompt
SCHEDULE = {
    "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
    "clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1, "timestep_spacing": "leading",
}  # fmt: skip
DEEP = {
    "block_out_channels": (320, 640, 1280, 1280),
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    "transformer_layers_per_block": (1, 1, 1, 1),
}
CLIP_L = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "hidden_act": "quick_gelu"}
UNETS: dict[str, dict[str, Any]] = {
    "sd15": {**DEEP, "sample_size": 64, "attention_head_dim": 8, "cross_attention_dim": 768},
    "sd21": {
        **DEEP,
        "sample_size": 96,
        "attention_head_dim": (5, 10, 20, 20),
        "cross_attention_dim": 1024,
        "use_linear_projection": True,
        "upcast_attention": True,
    },
    "sdxl": {
        "sample_size": 128,
        "block_out_channels": (320, 640, 1280),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2, 10),
        "attention_head_dim": (5, 10, 20),
        "cross_attention_dim": 2048,
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
}
ENCODERS: dict[str, tuple[dict[str, Any], ...]] = {
    "sd15": ({**CLIP_L, "projection_dim": 768},),
    "sd21": (
        {
            "hidden_size": 1024,
            "num_hidden_layers": 23,
            "num_attention_heads": 16,
            "hidden_act": "gelu",
            "projection_dim": 512,
        },
    ),
    "sdxl": (
        {**CLIP_L, "projection_dim": 768},
        {
            "hidden_size": 1280,
            "num_hidden_layers": 32,
            "num_attention_heads": 20,
            "hidden_act": "gelu",
            "projection_dim": 1280,
        },
    ),
}
PREDICTION = {"sd15": "epsilon", "sd21": "v_prediction", "sdxl": "epsilon"}
SCALING = {"sd15": 0.18215, "sd21": 0.18215, "sdxl": 0.13025}


def build(
    family: str,
    tokenizer: CLIPTokenizer,
    *,
    cut: int = 1,
    depth: int | None = None,
    sample_size: int | None = None,
    latent_channels: int = 4,
    seed: int = 0,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Any:
    """A pipeline of the shape of "sd15", "sd21" or "sdxl" with random weights.

    cut: divides every width (1, 2, 4 or 8), heads stay; depth: most layers of a transformer or text encoder;
    sample_size: texels a side of a native latent. The tokenizer, brought to 77 tokens a prompt, serves both of SDXL's
    text encoders, the second one padding with token 0 as the published one does.
    """
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.model_max_length = LENGTH
    # The libraries draw weights of their own from the global generator, which are drawn again below.
    with torch.random.fork_rng(), torch.device(device):
        found = parts(family, tokenizer, cut, depth, sample_size, latent_channels)
    rng = torch.Generator(device).manual_seed(seed)
    for part in found.values():
        draw_weights(part.eval(), rng)
        nn.Module.to(part, dtype)  # without the remark of diffusers' own
    scheduler = DDIMScheduler(**SCHEDULE, prediction_type=PREDICTION[family])
    if family == "sdxl":
        second = with_padding(tokenizer, tokenizer.convert_ids_to_tokens(0))
        return StableDiffusionXLPipeline(
            **found, tokenizer=tokenizer, tokenizer_2=second, scheduler=scheduler, add_watermarker=False
        )
    first = with_padding(tokenizer, tokenizer.convert_ids_to_tokens(0)) if family == "sd21" else tokenizer
    return StableDiffusionPipeline(
        **found,
        tokenizer=first,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def parts(
    family: str,
    tokenizer: CLIPTokenizer,
    cut: int = 1,
    depth: int | None = None,
    sample_size: int | None = None,
    latent_channels: int = 4,
) -> dict[str, nn.Module]:
    """The networks of a pipeline by their names in it, with the libraries' own start, on torch's current device."""
    groups = 32 if cut == 1 else 8
    unet = dict(UNETS[family])
    for name in ("cross_attention_dim", "addition_time_embed_dim", "projection_class_embeddings_input_dim"):
        if name in unet:
            unet[name] //= cut
    unet["block_out_channels"] = tuple(width // cut for width in unet["block_out_channels"])
    unet["sample_size"] = sample_size or unet["sample_size"]
    unet["transformer_layers_per_block"] = tuple(
        min(layers, depth or layers) for layers in unet["transformer_layers_per_block"]
    )
    found: dict[str, nn.Module] = {
        "unet": UNet2DConditionModel(
            in_channels=latent_channels, out_channels=latent_channels, norm_num_groups=groups, **unet
        ),
        "vae": AutoencoderKL(
            latent_channels=latent_channels,
            block_out_channels=tuple(width // cut for width in (128, 256, 512, 512)),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
            norm_num_groups=groups,
            sample_size=unet["sample_size"] * 8,
            scaling_factor=SCALING[family],
        ),
    }
    for number, encoder in enumerate(ENCODERS[family]):
        width, layers = encoder["hidden_size"] // cut, encoder["num_hidden_layers"]
        sizes = {
            "hidden_size": width,
            "intermediate_size": 4 * width,
            "num_hidden_layers": min(layers, depth or layers),
            "projection_dim": encoder["projection_dim"] // cut,
        }
        config = CLIPTextConfig(
            **{**encoder, **sizes},
            vocab_size=VOCABULARY if cut == 1 else len(tokenizer),
            max_position_embeddings=LENGTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        if number:
            found["text_encoder_2"] = CLIPTextModelWithProjection(config)
        else:
            found["text_encoder"] = CLIPTextModel(config)
    return found


def with_padding(tokenizer: CLIPTokenizer, token: str) -> CLIPTokenizer:
    """A tokenizer that pads with another token."""
    other = copy.deepcopy(tokenizer)
    other.pad_token = token
    return other


@torch.no_grad()
def draw_weights(module: nn.Module, rng: torch.Generator) -> None:
    """Weights normal with variance 1 / (inputs of a unit), norms one, offsets zero: every part answers its inputs."""
    for name, parameter in module.named_parameters():
        if parameter.ndim > 1:
            parameter.normal_(0, parameter[0].numel() ** -0.5, generator=rng)
        else:
            parameter.fill_(1.0 if name.endswith("weight") else 0.0)
