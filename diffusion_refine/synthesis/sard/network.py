"""The generator: the clean picture at once, of a noisy one and of a latent that says which of many it is to be.

A4 of [Wang 2025]: x̂_0 = G(x_t, t, z). The latent and the labels scale and shift every normalisation of a UNet.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers import UNet2DModel
from torch import Tensor, nn

from diffusion_refine.synthesis.sard.readings import Contrast


@dataclass(frozen=True)
class NetworkShape:
    """size: pixels a side of what it is trained on. latent: numbers of z. mask_input: whether it is told the mask.

    contrast: the unit of what it sees and makes.
    """

    size: int = 64
    channels: tuple[int, ...] = (32, 64, 96)
    layers: int = 1
    latent: int = 64
    mapping: int = 128
    mask_input: bool = False
    contrast: Contrast = Contrast.ground


@dataclass(frozen=True)
class Conditions:
    """What pictures are to show: labels and surfaces, (B,) numbers of the model's lists."""

    labels: Tensor
    surfaces: Tensor


class GeneratorNetwork(nn.Module):
    """G; labels, surfaces: how many of either there are."""

    def __init__(self, shape: NetworkShape, labels: int, surfaces: int) -> None:
        super().__init__()
        self.shape = shape
        width = 4 * shape.channels[0]  # of the embedding that diffusers' UNet has
        depth = len(shape.channels)
        self.unet = UNet2DModel(
            sample_size=shape.size,
            in_channels=4 if shape.mask_input else 3,
            out_channels=3,
            block_out_channels=shape.channels,
            layers_per_block=shape.layers,
            down_block_types=("DownBlock2D",) * depth,
            up_block_types=("UpBlock2D",) * depth,
            class_embed_type="identity",
            resnet_time_scale_shift="scale_shift",
            norm_num_groups=8,
        )
        self.mapping = nn.Sequential(
            nn.Linear(shape.latent, shape.mapping),
            nn.SiLU(),
            nn.Linear(shape.mapping, shape.mapping),
            nn.SiLU(),
            nn.Linear(shape.mapping, width),
        )
        self.labels = nn.Embedding(labels, width)
        self.surfaces = nn.Embedding(surfaces, width)

    def forward(self, noisy: Tensor, timestep: Tensor, latent: Tensor, conditions: Conditions, mask: Tensor) -> Tensor:
        """x̂_0 (B, 3, H, W) of x_t alike, t (B,), z (B, latent) and mask (B, 1, H, W) of bool.

        Where `contrast` is that of the picture, it lies in [-1, 1].
        """
        told = latent * torch.rsqrt(latent.square().mean(dim=1, keepdim=True) + 1e-8)
        embedding = self.mapping(told) + self.labels(conditions.labels) + self.surfaces(conditions.surfaces)
        seen = torch.cat([noisy, mask.to(noisy.dtype)], dim=1) if self.shape.mask_input else noisy
        made: Tensor = self.unet(seen, timestep, class_labels=embedding).sample
        return torch.tanh(made) if self.shape.contrast is Contrast.picture else made
