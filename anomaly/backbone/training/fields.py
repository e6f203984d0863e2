"""Random fields that procedural pictures are mixed from: noise, gratings, cells, leaves, lattices, fractals.

A style is drawn once per surface and then gives any number of different pictures of it: `Style(n)` is (n, S, S), about
zero in the mean and one in deviation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from anomaly.backbone.training.textures import Texture

Style = Callable[[int], Tensor]


@dataclass(frozen=True)
class Source:
    """Where randomness comes from: `rng` for parameters, `generator` for fields of `size` pixels on its device.

    textures: surfaces of the catalogue to cut from, on the same device; without any, styles alone are drawn.
    """

    rng: np.random.Generator
    generator: torch.Generator
    size: int
    textures: Sequence[Texture] = ()

    @classmethod
    def seeded(cls, seed: int, step: int, size: int, textures: Sequence[Texture] = (), device: str = "cpu") -> Source:
        """The source of training step `step`: the same numbers whichever steps came before."""
        rng = np.random.default_rng([seed, step])
        return cls(rng, torch.Generator(device).manual_seed(int(rng.integers(2**62))), size, textures)

    @property
    def device(self) -> torch.device:
        return self.generator.device

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def logarithmic(self, low: float, high: float) -> float:
        return float(math.exp(self.rng.uniform(math.log(low), math.log(high))))

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.generator, device=self.device)

    def uniform(self, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self.generator, device=self.device)

    def grid(self, angle: float = 0.0, jitter: float = 0.0, count: int = 1) -> tuple[Tensor, Tensor]:
        """Coordinates (count, S, S) in pixels, turned by `angle` and randomly shifted and turned by picture."""
        axis = torch.arange(self.size, device=self.device, dtype=torch.float32) - self.size / 2
        turned = angle + jitter * self.normal(count, 1, 1)
        shift = 1000 * self.uniform(2, count, 1, 1)
        cosine, sine = torch.cos(turned), torch.sin(turned)
        y, x = axis[:, None], axis[None, :]
        return x * cosine + y * sine + shift[0], y * cosine - x * sine + shift[1]


def spectral(
    source: Source, count: int, exponent: float, correlation: float, stretch: float = 1.0, angle: float = 0.0
) -> Tensor:
    """Gaussian noise with the power spectrum (1 + (f·correlation)²)^−exponent, drawn out `stretch` times along angle.

    correlation: pixels across the lay.
    """
    size = source.size
    fy = torch.fft.fftfreq(size, device=source.device)[:, None]
    fx = torch.fft.rfftfreq(size, device=source.device)[None, :]
    cosine, sine = math.cos(angle), math.sin(angle)
    along, across = (fx * cosine + fy * sine) * stretch, fy * cosine - fx * sine
    amplitude = (1 + (2 * math.pi * correlation) ** 2 * (along**2 + across**2)) ** (-exponent / 2)
    amplitude[0, 0] = 0
    field: Tensor = torch.fft.irfft2(torch.fft.rfft2(source.normal(count, size, size)) * amplitude, s=(size, size))
    field = field / (amplitude.square().mean().sqrt() + 1e-6)
    return field


def blurred(field: Tensor, deviation: float) -> Tensor:
    """(n, c, S, S) blurred by a Gaussian of `deviation` pixels, borders replicated."""
    if deviation < 0.2:
        return field
    radius = max(1, math.ceil(2.5 * deviation))
    offsets = torch.arange(-radius, radius + 1, device=field.device, dtype=field.dtype)
    kernel = torch.exp(-(offsets**2) / (2 * deviation**2))
    kernel = kernel / kernel.sum()
    n, c, height, width = field.shape
    flat = functional.pad(field.reshape(n * c, 1, height, width), (radius,) * 4, mode="replicate")
    flat = functional.conv2d(functional.conv2d(flat, kernel[None, None, None]), kernel[None, None, :, None])
    return flat.reshape(n, c, height, width)


def standard(field: Tensor) -> Tensor:
    """To mean 0 and deviation 1 over all pictures together, so that they keep what tells them apart."""
    return (field - field.mean()) / (field.std() + 1e-4)


def noise_style(source: Source) -> Style:
    """Cloudy, grainy or drawn-out noise, in one of several pointwise shapes."""
    exponent, correlation = source.between(0.6, 3.0), source.logarithmic(0.4, 20)
    stretch = source.logarithmic(1.5, 60) if source.chance(0.55) else 1.0
    angle, shape = source.between(0, math.pi), int(source.rng.integers(5))

    def draw(count: int) -> Tensor:
        field = spectral(source, count, exponent, correlation, stretch, angle)
        if shape == 1:
            field = standard(-field.abs())
        elif shape == 2:
            field = standard(torch.exp(0.8 * field).clamp_max(8))
        elif shape == 3:
            field = torch.tanh(4 * field)
        return field

    return draw


def streak_style(source: Source) -> Style:
    """What grinding leaves: marks many times longer than wide, a few of them bright, mostly along an axis."""
    angle = source.rng.choice([0.0, math.pi / 2]) + 0.03 * source.between(-1, 1)
    if source.chance(0.3):
        angle = source.between(0, math.pi)
    stretch, width, tail = source.logarithmic(15, 200), source.logarithmic(0.4, 2.5), source.between(0, 1.0)
    clumps = source.between(0, 0.8)

    def draw(count: int) -> Tensor:
        marks = torch.exp(tail * spectral(source, count, 1.2, width, stretch, angle).clamp_max(3))
        wide = spectral(source, count, 2.0, 12 * width, stretch / 4, angle)
        return standard(standard(marks) * (1 + clumps * wide).clamp_min(0) + clumps * wide)

    return draw


def grating_style(source: Source) -> Style:
    """Stripes, sinusoidal or hard, bent by slow noise."""
    angle, period = source.between(0, math.pi), source.logarithmic(4, 40)
    bend, hard = source.between(0, 0.5) * source.chance(0.6), source.logarithmic(0.5, 8)

    def draw(count: int) -> Tensor:
        x, _ = source.grid(angle, 0.01, count)
        phase = 2 * math.pi * x / period + bend * 3 * spectral(source, count, 3.0, 25)
        return standard(torch.tanh(hard * torch.sin(phase)))

    return draw


def lattice_style(source: Source) -> Style:
    """Dots, checks or a weave: products of two gratings."""
    angle, period, ratio = source.between(0, math.pi), source.logarithmic(5, 32), source.between(0.6, 1.7)
    hard, form = source.logarithmic(0.5, 6), int(source.rng.integers(3))

    def draw(count: int) -> Tensor:
        x, y = source.grid(angle, 0.01, count)
        a, b = torch.sin(2 * math.pi * x / period), torch.sin(2 * math.pi * y / (period * ratio))
        mixed = (a * b, torch.maximum(a, b), a + b)[form]
        return standard(torch.tanh(hard * (mixed - 0.3 * (form == 1))))

    return draw


def cell_style(source: Source) -> Style:
    """Grains: distances to the nearest and second nearest of scattered points."""
    cells, form = int(source.logarithmic(15, 120)), int(source.rng.integers(3))

    def draw(count: int) -> Tensor:
        size = source.size
        points = size * (1.2 * source.uniform(count, cells, 2) - 0.1)
        axis = torch.arange(size, device=source.device, dtype=torch.float32)
        places = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), dim=-1).reshape(1, -1, 2)
        distances = torch.cdist(places.expand(count, -1, -1), points)
        nearest, which = distances.topk(2, dim=2, largest=False)
        if form == 0:
            field = nearest[..., 0]
        elif form == 1:
            field = torch.exp(-(nearest[..., 1] - nearest[..., 0]) / 2)
        else:
            field = source.normal(count, cells).gather(1, which[..., 0])
        return standard(field.reshape(count, size, size))

    return draw


def leaf_style(source: Source) -> Style:
    """Dead leaves: discs or rectangles of random brightness that occlude each other."""
    leaves, power = int(source.between(20, 60)), source.between(1.5, 3.0)
    smallest, box = source.logarithmic(2, 8), source.chance(0.5)

    def draw(count: int) -> Tensor:
        size = source.size
        axis = torch.arange(size, device=source.device, dtype=torch.float32)
        centres = size * source.uniform(count, leaves, 2, 1, 1)
        radii = (smallest * source.uniform(count, leaves, 1, 1).clamp_min(1e-3) ** (-1 / power)).clamp_max(size / 3)
        dy, dx = (axis[:, None] - centres[:, :, 0]).abs(), (axis[None, :] - centres[:, :, 1]).abs()
        inside = (torch.maximum(dy, dx) if box else (dy**2 + dx**2).sqrt()) < radii
        depth = torch.arange(1, leaves + 1, device=source.device)[None, :, None, None] * inside
        top = depth.amax(dim=1)
        levels = torch.cat([torch.zeros(count, 1, device=source.device), source.normal(count, leaves)], dim=1)
        return standard(levels.gather(1, top.reshape(count, -1)).reshape(count, size, size))

    return draw


def fractal_style(source: Source) -> Style:
    """Attractors of random iterated function systems (Barnsley), scattered over the picture."""
    maps, places = int(source.rng.integers(2, 6)), int(source.rng.integers(2, 7))
    scale, soft = source.logarithmic(15, 60), source.between(0.4, 1.5)
    linear = source.normal(maps, 2, 2)
    linear = linear / torch.linalg.matrix_norm(linear, 2)[:, None, None] * (0.4 + 0.5 * source.uniform(maps, 1, 1))
    offset = source.normal(maps, 2)

    def draw(count: int) -> Tensor:
        size, points = source.size, 1500
        x = source.normal(points, 2)
        for _ in range(12):
            chosen = torch.randint(maps, (points,), generator=source.generator, device=source.device)
            x = (linear[chosen] @ x[:, :, None])[:, :, 0] + offset[chosen]
        x = (x - x.mean(dim=0)) / (x.std() + 1e-3) * scale / 2
        centres = size * source.uniform(count, places, 1, 2)
        turn = 2 * math.pi * source.uniform(count, places, 1)
        cosine, sine = torch.cos(turn), torch.sin(turn)
        turned = torch.stack([x[:, 0] * cosine - x[:, 1] * sine, x[:, 0] * sine + x[:, 1] * cosine], dim=-1)
        pixels = (turned + centres).round().long() % size
        flat = (pixels[..., 0] * size + pixels[..., 1]).reshape(count, -1)
        hits = torch.zeros(count, size * size, device=source.device)
        hits.scatter_add_(1, flat, torch.ones_like(flat, dtype=torch.float32))
        return standard(blurred(hits.clamp_max(3).reshape(count, 1, size, size), soft)[:, 0])

    return draw


STYLES: tuple[tuple[Callable[[Source], Style], float], ...] = (
    (noise_style, 0.34),
    (streak_style, 0.26),
    (grating_style, 0.08),
    (lattice_style, 0.08),
    (cell_style, 0.1),
    (leaf_style, 0.08),
    (fractal_style, 0.06),
)


def draw_style(source: Source) -> Style:
    """One of STYLES, by their weights."""
    weights = [weight for _, weight in STYLES]
    return STYLES[int(source.rng.choice(len(STYLES), p=weights))][0](source)
