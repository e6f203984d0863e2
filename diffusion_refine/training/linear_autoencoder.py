"""An autoencoder's linear start: an encoder that is the best linear one, and the decoder that undoes it best.

Eight principal components of blocks of 4 x 4 pixels keep more of a surface than the same network learns from a random
start in twenty minutes on a processor. The components are put in closed form into the convolutions of diffusers'
`AutoencoderKL`, whose residual branches begin at nothing; its group normalisation and SiLU, which stand before the last
convolution, are made linear there: silu(z) - silu(-z) = z, and beside the constants +-C the deviation of a group is
C times the same number for every picture, up to z^2 / C^2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from torch.nn import functional

LATENT_CONSTANT, PIXEL_CONSTANT = 64.0, 8.0  # C, for latents of unit variance and for values of -1 to 1
CERTAIN = -20.0  # logarithm of the posterior's variance: the code of a picture is one point
PIXEL_FEATURES = 12  # at most: linear features of a pixel, from which the last convolution makes its colour
BLOCKS = 2_000_000  # at most, that components are found from


@dataclass(frozen=True)
class Components:
    """Principal components of blocks of f x f pixels of three colours, values -1 to 1.

    mean: (3 f f,) float64. vectors: (k, 3 f f), orthonormal, greatest variance first. deviations: (k,), of each.
    A block is flattened as `torch.nn.functional.pixel_unshuffle` does it: colour, row, column.
    """

    mean: Tensor
    vectors: Tensor
    deviations: Tensor

    def encoded(self, images: Tensor) -> Tensor:
        """Latents (N, k, h, w) of images (N, 3, H, W) of -1 to 1, each of unit variance over what was seen."""
        factor = round((self.vectors.shape[1] // 3) ** 0.5)
        blocks = functional.pixel_unshuffle(images.double(), factor).movedim(1, -1)
        return ((blocks - self.mean) @ (self.vectors / self.deviations[:, None]).T).movedim(-1, 1).to(images.dtype)


def principal_components(images: Tensor, masks: Tensor, count: int, factor: int, defects: float = 0.0) -> Components:
    """The components of pictures (N, 3, H, W) uint8; a pixel within masks (N, H, W) counts for 1 + `defects`."""
    few = max(1, BLOCKS * factor**2 // images[0, 0].numel())
    total, mean, second = 0.0, torch.zeros(3 * factor**2).double(), torch.zeros(3 * factor**2, 3 * factor**2).double()
    for start in range(0, min(few, len(images)), 64):
        piece = slice(start, min(start + 64, few))
        blocks = functional.pixel_unshuffle(images[piece].double() / 127.5 - 1, factor).movedim(1, -1).flatten(0, -2)
        weight = 1 + defects * functional.avg_pool2d(masks[piece].double()[:, None], factor).flatten()
        total += float(weight.sum())
        mean += weight @ blocks
        second += (blocks * weight[:, None]).T @ blocks
    mean /= total
    variances, vectors = torch.linalg.eigh(second / total - mean[:, None] * mean)
    variances, vectors = variances.flip(0)[:count], vectors.flip(1)[:, :count].T
    signs = vectors.gather(1, vectors.abs().argmax(1, keepdim=True)).sign()  # the same on every machine
    return Components(mean, vectors * signs, variances.clamp(min=1e-8).sqrt())


@torch.no_grad()
def set_encoder(autoencoder: AutoencoderKL, components: Components) -> None:
    """Make the encoder compute those components; up to one part in a few thousand, as said above.

    Raises:
        ValueError: its levels are too narrow for it.
    """
    widths = list(autoencoder.config.block_out_channels)
    levels, count = len(widths) - 1, len(components.deviations)
    if any(narrow >= wide for narrow, wide in pairwise(widths)) or any(
        width < 3 * 4**level for level, width in enumerate(widths[:-1])
    ):
        raise ValueError(f"an autoencoder of widths {widths} cannot hold blocks of its pixels; widen its levels")
    encoder = autoencoder.encoder
    _silence(encoder)
    _identity(encoder.conv_in, 3)
    scaled = components.vectors / components.deviations[:, None]
    for level, block in enumerate(encoder.down_blocks[:-1]):
        if level:
            _identity(block.resnets[0].conv_shortcut, 3 * 4**level)
        down = block.downsamplers[0].conv
        _zero(down)
        weight = _unshuffling(2**level)
        if level == levels - 1:
            weight = torch.tensordot(scaled, weight, dims=1)
            down.bias[:count] = -(scaled @ components.mean).float()
        down.weight[: weight.shape[0], : weight.shape[1], :2, :2] = weight.float()
    inner = encoder.down_blocks[-1].resnets[0].conv_shortcut
    signs, norm = _paired(inner, torch.eye(count, inner.in_channels), encoder.conv_norm_out, LATENT_CONSTANT)
    encoder.conv_norm_out.load_state_dict(norm)
    _zero(encoder.conv_out)
    for number, (plus, minus) in enumerate(signs):
        encoder.conv_out.weight[number, plus, 1, 1], encoder.conv_out.weight[number, minus, 1, 1] = 1, -1
    encoder.conv_out.bias[count:] = CERTAIN
    for convolution in (autoencoder.quant_conv, autoencoder.post_quant_conv):
        _identity(convolution, convolution.in_channels)


def set_decoder(
    autoencoder: AutoencoderKL,
    latents: Tensor,
    images: Tensor,
    crop: int,
    seed: int,
    steps: int,
    batch: int = 8,
    rate: float = 3e-3,
    on_step: Callable[[int], None] = lambda done: None,
) -> None:
    """Fit the decoder with all its residual branches silent, which makes it linear, to pictures; least squares by Adam.

    latents: (N, k, h, w) of images: (N, 3, H, W) uint8, both on the processor. crop: pixels a side of the windows of
    them that a step sees.
    """
    decoder, device = autoencoder.decoder, autoencoder.device
    rng = torch.Generator().manual_seed(seed)
    _silence(decoder)
    ups = [block.upsamplers[0].conv for block in decoder.up_blocks[:-1]]
    narrowing = [block.resnets[0].conv_shortcut for block in decoder.up_blocks]  # None in the first
    last = narrowing[-1]
    count = min(PIXEL_FEATURES, _room(last, decoder.conv_norm_out))
    with torch.no_grad():
        features = torch.randn(count, last.in_channels, 1, 1, generator=rng) / last.in_channels**0.5
        colours = torch.randn(3, count, 3, 3, generator=rng) / (9 * count) ** 0.5
        offset = torch.zeros(3)
    free = [part.to(device).requires_grad_() for part in (features, colours, offset)]
    modules = [decoder.conv_in, *ups, *narrowing[1:-1]]
    parameters = [*free, *(parameter for module in modules for parameter in module.parameters())]
    optimizer = torch.optim.AdamW(parameters, lr=rate, betas=(0.9, 0.99), weight_decay=0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        chosen = torch.randint(len(images), (batch,), generator=rng)
        codes, pictures = windows_of(chosen, (latents, images), crop, rng)
        wanted = pictures.to(device).float() / 127.5 - 1
        hidden = decoder.conv_in(codes.to(device))
        for block, narrow in zip(decoder.up_blocks, narrowing, strict=True):
            if narrow is not None and narrow is not last:
                hidden = narrow(hidden)
            if block.upsamplers is not None:
                hidden = block.upsamplers[0].conv(functional.interpolate(hidden, scale_factor=2.0))
        made = functional.conv2d(functional.conv2d(hidden, free[0]), free[1], free[2], padding=1)
        loss = (made - wanted).square().mean()
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        on_step(step + 1)
    with torch.no_grad():
        rows = free[0][:, :, 0, 0]
        signs, norm = _paired(last, rows, decoder.conv_norm_out, PIXEL_CONSTANT)
        decoder.conv_norm_out.load_state_dict(norm)
        for resnet in decoder.up_blocks[-1].resnets[1:]:
            resnet.norm1.load_state_dict(norm)
        _zero(decoder.conv_out)
        for number, (plus, minus) in enumerate(signs):
            decoder.conv_out.weight[:, plus] = free[1][:, number]
            decoder.conv_out.weight[:, minus] = -free[1][:, number]
        decoder.conv_out.bias.copy_(free[2])


def windows_of(chosen: Tensor, stacks: Sequence[Tensor], crop: int, rng: torch.Generator) -> list[Tensor]:
    """The same windows, `crop` pixels a side and at whole texels, of pictures and of their latents.

    stacks: (N, C, h, w) each; the coarsest is that of the latents, the finest that of the pictures.
    """
    sides = [stack.shape[-1] for stack in stacks]
    texel = max(sides) // min(sides)
    places = torch.randint((max(sides) - crop) // texel + 1, (len(chosen), 2), generator=rng).tolist()
    found = []
    for stack, side in zip(stacks, sides, strict=True):
        scale, length = texel * side // max(sides), crop * side // max(sides)
        cut = [
            stack[one, :, top * scale : top * scale + length, left * scale : left * scale + length]
            for one, (top, left) in zip(chosen.tolist(), places, strict=True)
        ]
        found.append(torch.stack(cut))
    return found


def _silence(module: nn.Module) -> None:
    """Begin every residual branch at nothing."""
    for found in module.modules():
        if type(found).__name__ == "ResnetBlock2D":
            _zero(found.conv2)


def _zero(convolution: Any) -> None:
    nn.init.zeros_(convolution.weight)
    nn.init.zeros_(convolution.bias)


def _identity(convolution: Any, channels: int) -> None:
    """Pass the first channels on as they are, and nothing else."""
    _zero(convolution)
    middle = convolution.kernel_size[0] // 2
    for channel in range(channels):
        convolution.weight[channel, channel, middle, middle] = 1


def _unshuffling(side: int) -> Tensor:
    """(12 side^2, 3 side^2, 2, 2) float64: the convolution of stride 2 that takes channels of `pixel_unshuffle` by
    `side` to those by 2 side.
    """
    pixels = torch.arange(12 * side**2).view(1, 3, 2 * side, 2 * side)
    coarse = functional.pixel_unshuffle(pixels, 2 * side).flatten()
    return (coarse[:, None, None, None] == functional.pixel_unshuffle(pixels, side)).double()


def _room(convolution: nn.Conv2d, norm: nn.GroupNorm) -> int:
    """How many signed features fit between a convolution and the normalisation behind it, two constants a group."""
    return norm.num_groups * ((convolution.out_channels // norm.num_groups - 2) // 2)


def _paired(
    convolution: Any, rows: Tensor, norm: nn.GroupNorm, constant: float
) -> tuple[list[tuple[int, int]], dict[str, Tensor]]:
    """Make a 1 x 1 convolution give +z and -z of every row, and +-C in every group of the normalisation behind it.

    Returns the channels of every pair, and the normalisation's state with which it passes them on.

    Raises:
        ValueError: there are fewer channels than that takes.
    """
    groups, width = norm.num_groups, convolution.out_channels
    size = width // groups
    room = _room(convolution, norm)
    if room < len(rows):
        raise ValueError(f"{width} channels hold {room} signed features, not {len(rows)}; widen the level")
    _zero(convolution)
    scale = torch.zeros(width)
    signs = []
    for group in range(groups):
        first = group * size
        mine = range(group, len(rows), groups)
        convolution.bias[first], convolution.bias[first + 1] = constant, -constant
        for number, row in enumerate(mine):
            plus, minus = first + 2 + 2 * number, first + 3 + 2 * number
            convolution.weight[plus, :, 0, 0], convolution.weight[minus, :, 0, 0] = rows[row], -rows[row]
            signs.append((row, plus, minus))
        scale[first : first + size] = constant * (2 / size) ** 0.5
        scale[first : first + 2] = 1.0
    pairs = [(plus, minus) for _, plus, minus in sorted(signs)]
    return pairs, {"weight": scale, "bias": torch.zeros(width)}
