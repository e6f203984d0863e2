"""The two networks: diffusers' UNets that predict the noise, of good pictures and, by classes, of defects' patches."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from diffusers import DDPMScheduler, UNet2DModel
from torch import Tensor

from diffusion_refine.core.models import quietly
from diffusion_refine.synthesis.crg.schedule import FIRST_BETA, LAST_BETA, TRAINED

GROUPS, HEAD = 8, 16


@dataclass(frozen=True)
class DenoiserShape:
    """size: pixels a side of what is drawn. channels: from fine to coarse. attention: of how many coarsest levels."""

    size: int
    channels: tuple[int, ...]
    layers: int = 1
    attention: int = 0


CONTEXT = DenoiserShape(128, (16, 32, 64, 96))  # no attention: what it learns of smaller crops holds for larger ones
PRIOR = DenoiserShape(32, (32, 64, 96), attention=1)


def build(shape: DenoiserShape, classes: int | None) -> UNet2DModel:
    """A network of random weights, from torch's global generator. classes: None of one that is told none."""
    depth = len(shape.channels)
    attends = [level >= depth - shape.attention for level in range(depth)]
    with quietly():
        return UNet2DModel(
            sample_size=shape.size,
            block_out_channels=shape.channels,
            layers_per_block=shape.layers,
            down_block_types=tuple("AttnDownBlock2D" if attention else "DownBlock2D" for attention in attends),
            up_block_types=tuple("AttnUpBlock2D" if attention else "UpBlock2D" for attention in reversed(attends)),
            downsample_type="resnet",
            upsample_type="resnet",
            add_attention=shape.attention > 0,
            attention_head_dim=HEAD,
            norm_num_groups=GROUPS,
            resnet_time_scale_shift="scale_shift",
            num_class_embeds=classes,
        )


def training_schedule() -> Any:
    """The levels of noise that networks are trained at."""
    with quietly():
        return DDPMScheduler(TRAINED, FIRST_BETA, LAST_BETA, "linear", clip_sample=False)


class Context:
    """A network of good pictures as the sampler asks it."""

    def __init__(self, network: UNet2DModel) -> None:
        self.network = network

    def __call__(self, noisy: Tensor, timestep: int) -> Tensor:
        found: Tensor = self.network(noisy, timestep, return_dict=False)[0]
        return found


class Prior:
    """A network of defects as the sampler asks it."""

    def __init__(self, network: UNet2DModel) -> None:
        self.network = network

    def __call__(self, noisy: Tensor, timestep: int, labels: Tensor) -> Tensor:
        found: Tensor = self.network(noisy, timestep, class_labels=labels, return_dict=False)[0]
        return found


def device_of(network: UNet2DModel) -> torch.device:
    device: torch.device = next(network.parameters()).device
    return device


def written(shape: DenoiserShape) -> dict[str, Any]:
    """A shape as JSON."""
    return asdict(shape)


def shape_from(fields: dict[str, Any]) -> DenoiserShape:
    """What `written` made."""
    return DenoiserShape(**{**fields, "channels": tuple(fields["channels"])})
