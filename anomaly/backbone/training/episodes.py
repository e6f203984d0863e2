"""Procedural pictures in episodes: one surface, good pictures of it, and others with defects and their exact masks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from anomaly.backbone.training.fields import Source, blurred, draw_style, spectral
from anomaly.backbone.training.textures import lit

FAMILIES = ("stain", "hole", "crack", "scratch", "relief", "texture", "smear", "spots", "chip", "catalogue")
GREY = 0.65  # share of surfaces without colour
CATALOGUE = 0.3  # share of surfaces, and more than of defects, that are cut from the catalogue's textures


@dataclass(frozen=True)
class Surface:
    """How pictures of one surface look before light and camera; `albedo(n)` is (n, 3, S, S), about 0 to 1."""

    albedo: Callable[[int], tuple[Tensor, Tensor]]
    deviation: float
    spread: float  # how much exposure, blur and noise differ from picture to picture
    softness: float
    grain: float


@dataclass(frozen=True)
class Episode:
    """Good pictures (s, 3, S, S) of a surface and others (q, 3, S, S), in 0..1.

    masks: (q, S, S), 0 to 1, where defects are; change: (q, S, S), by how much they changed the albedo; family: (q,)
    index into FAMILIES, -1 where there is no defect.
    """

    support: Tensor
    query: Tensor
    masks: Tensor
    change: Tensor
    family: Tensor


def draw_episode(source: Source, support: int, query: int) -> Episode:
    """One episode; the first query picture always has a defect, every other one with a chance of .6."""
    surface = draw_surface(source)
    albedo, outside = surface.albedo(support + query)
    good, bad = albedo[:support], albedo[support:].clone()
    masks = torch.zeros(query, source.size, source.size, device=source.device)
    family = torch.full((query,), -1)
    clean = bad.clone()
    for k in range(query):
        if k > 0 and not source.chance(0.6):
            continue
        chosen = int(source.rng.integers(len(FAMILIES) - (not source.textures)))
        if source.textures and source.chance(CATALOGUE):
            chosen = FAMILIES.index("catalogue")
        family[k] = chosen
        for _ in range(1 if source.chance(0.7) else 2):
            bad[k], mask = _defect(source, FAMILIES[chosen], surface, bad[k], outside[support + k])
            masks[k] = torch.maximum(masks[k], mask)
    change = (bad - clean).abs().mean(dim=1)
    images = _photographed(source, surface, torch.cat([good, bad]))
    return Episode(images[:support], images[support:], masks, change, family)


def draw_surface(source: Source) -> Surface:
    """A mixture of up to three styles, perhaps with the border of a part and with harmless specks."""
    count = int(source.rng.choice([1, 2, 3], p=[0.3, 0.45, 0.25]))
    styles = [draw_style(source) for _ in range(count)]
    strengths = [source.logarithmic(0.01, 0.16) for _ in styles]
    tints = [_tint(source, 0.5) for _ in styles]
    base = source.between(0.12, 0.8) * _tint(source, 0.25)
    cut = _cut(source) if source.textures and source.chance(CATALOGUE) else None
    if cut is not None:
        strengths = [0.2 * strength for strength in strengths]
    border = _border(source) if source.chance(0.4) else None
    clutter = _clutter(source) if source.chance(0.45) else None

    def albedo(n: int) -> tuple[Tensor, Tensor]:
        picture = base[None, :, None, None].expand(n, 3, source.size, source.size) if cut is None else cut(n)
        for style, strength, tint in zip(styles, strengths, tints, strict=True):
            picture = picture + strength * tint[None, :, None, None] * style(n).clamp(-4, 4)[:, None]
        if clutter is not None:
            picture = picture * clutter(n)[:, None]
        outside = torch.zeros(n, source.size, source.size, device=source.device)
        if border is not None:
            picture, outside = border(picture)
        return picture, outside

    deviation = math.sqrt(sum(s**2 for s in strengths))
    spread = source.between(0, 1) ** 1.5
    softness = source.between(0, 1.2) * source.chance(0.6)
    return Surface(albedo, deviation, spread, softness, source.between(0, 0.03))


def _tint(source: Source, strength: float) -> Tensor:
    if source.chance(GREY):
        return torch.ones(3, device=source.device)
    return (1 + strength * source.normal(3)).clamp(0.1, 2)


def _cut(source: Source) -> Callable[[int], Tensor]:
    """Pieces (n, 3, S, S) of one bare texture of the catalogue, all under the same light."""
    texture = source.textures[int(source.rng.integers(len(source.textures)))]
    picture = lit(texture.bare, source.logarithmic(0.3, 6), source.between(0, 2 * math.pi))
    level = source.between(0.15, 0.75)
    picture = picture * level / picture.mean()
    if source.chance(GREY):
        picture = picture.mean(dim=0, keepdim=True).expand(3, -1, -1)
    if source.chance(0.5):
        picture = picture.transpose(-1, -2)

    def draw(n: int) -> Tensor:
        tops = source.rng.integers(picture.shape[1] - source.size + 1, size=n)
        lefts = source.rng.integers(picture.shape[2] - source.size + 1, size=n)
        pieces = [picture[:, t : t + source.size, k : k + source.size] for t, k in zip(tops, lefts, strict=True)]
        return torch.stack(pieces)

    return draw


def _of_catalogue(source: Source, picture: Tensor) -> tuple[Tensor, Tensor]:
    """The picture with what a texture's damage did to that texture, as a factor."""
    size = source.size
    texture = source.textures[int(source.rng.integers(len(source.textures)))]
    rows, columns = texture.mask.shape
    hit = texture.mask.nonzero()
    if not len(hit):
        return picture, torch.zeros(size, size, device=source.device)
    middle = hit[int(source.rng.integers(len(hit)))].tolist()
    top, left = (
        int(min(max(0, m - source.rng.integers(size)), side - size))
        for m, side in zip(middle, (rows, columns), strict=True)
    )
    window = (..., slice(top, top + size), slice(left, left + size))
    gain, angle = source.logarithmic(0.5, 4), source.between(0, 2 * math.pi)
    bare, damaged = lit(texture.bare[window], gain, angle), lit(texture.damaged[window], gain, angle)
    factor, mask = (damaged / bare.clamp_min(0.02)).clamp(0.05, 4), texture.mask[window].float()
    if source.chance(0.5):
        factor, mask = factor.transpose(-1, -2), mask.transpose(-1, -2)
    if source.chance(GREY):
        factor = factor.mean(dim=0, keepdim=True)
    return picture * factor, mask


def _border(source: Source) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """The edge of a part against what lies behind it, with a rim of its own, anywhere in the picture."""
    side, level = source.rng.integers(4) * math.pi / 2, source.between(0, 0.25)
    rim, rim_width = source.between(-0.6, 0.6), source.logarithmic(1.5, 12)
    ragged, backdrop = source.logarithmic(0.05, 2.0), draw_style(source) if source.chance(0.3) else None

    def cut(picture: Tensor) -> tuple[Tensor, Tensor]:
        n, size = len(picture), source.size
        axis = torch.arange(size, device=source.device, dtype=torch.float32) - size / 2
        turned = side + 0.06 * source.normal(n, 1, 1)
        along = axis[None, None, :] * torch.cos(turned) + axis[None, :, None] * torch.sin(turned)
        inward = along + size * (source.uniform(n, 1, 1) * 0.9 - 0.05) + ragged * spectral(source, n, 1.5, 8)
        outside = torch.sigmoid(-2 * inward)
        edge = 1 + rim * torch.exp(-inward.clamp_min(0) / rim_width)
        behind = level + (0.05 * backdrop(n) if backdrop is not None else torch.zeros_like(inward))
        mixed = picture * edge[:, None] * (1 - outside[:, None]) + (behind * outside)[:, None]
        return mixed, outside

    return cut


def _clutter(source: Source) -> Callable[[int], Tensor]:
    """Small specks and faint marks that every good picture of the surface shows: factors (n, S, S)."""
    density, radius = source.logarithmic(2e-4, 1e-2), source.between(0.5, 1.6)
    strength = source.between(-0.6, 0.5)

    def draw(n: int) -> Tensor:
        hits = (source.uniform(n, 1, source.size, source.size) < density).float()
        specks = blurred(hits, radius)[:, 0] * (2 * math.pi * radius**2)
        return 1 + strength * specks.clamp_max(1.2) * (0.3 + 0.7 * source.uniform(n, 1, 1))

    return draw


def _photographed(source: Source, surface: Surface, albedo: Tensor) -> Tensor:
    """Light and camera: exposure, an uneven field, gamma, blur, noise; each picture its own."""
    n = len(albedo)
    spread = surface.spread
    field = 0.35 * spread * spectral(source, n, 4.0, source.size / 3)
    exposure = torch.exp(0.35 * spread * source.normal(n, 1, 1) + field)[:, None]
    image = (albedo * exposure).clamp(0.001, 1.5) ** torch.exp(0.15 * spread * source.normal(n, 1, 1, 1))
    image = blurred(image, surface.softness * (1 + 0.15 * spread * source.between(-1, 1)))
    noise = source.normal(n, 1, source.size, source.size)
    return (image + surface.grain * (1 + 0.3 * spread * source.between(-1, 1)) * noise).clamp(0, 1)


def _defect(source: Source, family: str, surface: Surface, picture: Tensor, outside: Tensor) -> tuple[Tensor, Tensor]:
    """The picture (3, S, S) with one more defect, and its mask (S, S)."""
    # Strong enough to be told from the surface's own texture, most of the time.
    contrast = max(surface.deviation * source.between(0.8, 2.5), source.logarithmic(0.05, 0.5))
    sign = -1.0 if source.chance(0.7) else 1.0
    match family:
        case "catalogue":
            return _of_catalogue(source, picture)
        case "hole":
            return _hole(source, picture, sign * contrast)
        case "spots":
            return _spots(source, picture, sign * contrast)
        case "stain":
            return _stain(source, picture, sign * contrast)
        case "crack":
            return _crack(source, picture, sign * contrast)
        case "scratch":
            return _scratch(source, picture, sign * contrast)
        case "relief":
            mask = _blob(source, source.logarithmic(4, 25), 0.2)
            return _embossed(source, picture, mask, contrast), mask
        case "chip":
            return _chipped(source, picture, outside, contrast)
        case "smear":
            return _smeared(source, picture, sign)
        case _:  # texture
            return _retextured(source, picture)


def _hole(source: Source, picture: Tensor, contrast: float) -> tuple[Tensor, Tensor]:
    mask = _blob(source, source.logarithmic(2, 14), 0.25)
    return _shaded(source, picture, mask, contrast, rim=0.5 * source.chance(0.5)), mask


def _spots(source: Source, picture: Tensor, contrast: float) -> tuple[Tensor, Tensor]:
    mask = torch.zeros(source.size, source.size, device=source.device)
    centre = source.size * (0.15 + 0.7 * source.uniform(2))
    for _ in range(int(source.rng.integers(3, 9))):
        mask = torch.maximum(mask, _blob(source, source.logarithmic(1, 4), 0.2, centre + 10 * source.normal(2)))
    return _shaded(source, picture, mask, contrast), mask


def _stain(source: Source, picture: Tensor, contrast: float) -> tuple[Tensor, Tensor]:
    mask = _blob(source, source.logarithmic(8, 35), 0.35)
    soft = blurred(mask[None, None], source.logarithmic(0.5, 4))[0, 0]
    rim = (soft * (1 - soft) * 4) * source.between(-1, 1)
    factor = 1 + contrast * (soft + rim) * (0.6 + 0.4 * source.uniform(1))
    return picture * factor.clamp(0.1, 2.5), mask


def _crack(source: Source, picture: Tensor, contrast: float) -> tuple[Tensor, Tensor]:
    """A crooked line, some with a second one."""
    mask = _line(source, source.logarithmic(0.8, 4), source.between(0.5, 2.0))
    if source.chance(0.3):
        mask = torch.maximum(mask, _line(source, source.logarithmic(0.8, 2), 1.0))
    source.chance(0.5)  # of a lip, which only a scratch has; without it other pictures would be drawn than ever
    return _shaded(source, picture, mask, 1.3 * contrast), mask


def _scratch(source: Source, picture: Tensor, contrast: float) -> tuple[Tensor, Tensor]:
    """A nearly straight line, some with a lip."""
    mask = _line(source, source.logarithmic(0.8, 4), 0.15)
    if source.chance(0.5):
        contrast = -contrast
    return _shaded(source, picture, mask, 1.3 * contrast, rim=0.6 * source.chance(0.5)), mask


def _chipped(source: Source, picture: Tensor, outside: Tensor, contrast: float) -> tuple[Tensor, Tensor]:
    """Broken off at the border, down to another material or to a plain one."""
    mask = _chip(source, outside) * (1 - outside)
    other, _ = draw_surface(source).albedo(1)
    inside = other[0] * source.between(0.5, 1.2) if source.chance(0.6) else picture.mean() * source.between(0.1, 1.8)
    return _embossed(source, picture * (1 - mask) + inside * mask, mask, 0.5 * contrast), mask


def _smeared(source: Source, picture: Tensor, sign: float) -> tuple[Tensor, Tensor]:
    """The texture blurred, weakened or exaggerated."""
    mask, soft = _patch(source)
    flat = blurred(picture[None], source.logarithmic(1.0, 5))[0]
    gain = source.between(1.6, 3.0) if source.chance(0.3) else source.between(0, 0.4)
    base = blurred(picture[None], 8)[0]
    changed = base + gain * (picture - base) if source.chance(0.5) else flat
    return picture * (1 - soft) + changed * (1 + 0.15 * sign * source.between(0, 1)) * soft, mask


def _retextured(source: Source, picture: Tensor) -> tuple[Tensor, Tensor]:
    """Another texture, or the same with its lay turned."""
    mask, soft = _patch(source)
    if source.chance(0.5):
        changed = picture.transpose(-1, -2).flip(-1)  # the lay turned by 90°
        changed = changed * source.between(0.7, 1.3)
    else:
        other, _ = draw_surface(source).albedo(1)
        changed = other[0]
        if source.chance(0.5):  # told by its texture alone, not by its level
            changed = changed - changed.mean() + picture.mean()
    return picture * (1 - soft) + changed * soft, mask


def _patch(source: Source) -> tuple[Tensor, Tensor]:
    """A blob, and the same with a soft edge."""
    mask = _blob(source, source.logarithmic(8, 40), 0.4)
    return mask, blurred(mask[None, None], source.between(0.3, 3))[0, 0]


def _places(source: Source, centre: Tensor, angle: float) -> tuple[Tensor, Tensor]:
    axis = torch.arange(source.size, device=source.device, dtype=torch.float32)
    dy, dx = axis[:, None] - centre[0], axis[None, :] - centre[1]
    cosine, sine = math.cos(angle), math.sin(angle)
    return dx * cosine + dy * sine, dy * cosine - dx * sine


def _blob(source: Source, radius: float, roughness: float, centre: Tensor | None = None) -> Tensor:
    """An ellipse with a noisy outline; (S, S), 0 to 1."""
    centre = source.size * (0.08 + 0.84 * source.uniform(2)) if centre is None else centre
    stretch = source.logarithmic(1, 2.5)
    u, v = _places(source, centre, source.between(0, math.pi))
    distance = ((u / stretch) ** 2 + (v * stretch) ** 2).sqrt()
    outline = 1 + roughness * spectral(source, 1, 2.0, max(1.5, radius / 2))[0]
    return torch.sigmoid((radius * outline - distance) * 2.5)


def _line(source: Source, width: float, crooked: float) -> Tensor:
    """A line whose course is a random walk of its slope and whose width varies; (S, S), 0 to 1."""
    size = source.size
    u, v = _places(source, size * (0.15 + 0.7 * source.uniform(2)), source.between(0, math.pi))
    length = source.logarithmic(0.15, 1.2) * size
    steps = source.normal(2 * size + 1)
    slope = steps.cumsum(0) / math.sqrt(2 * size)
    course = crooked * (slope - slope.mean()) + 0.3 * crooked * steps / 4
    course = (course + source.between(-0.004, 0.004) * torch.arange(-size, size + 1, device=source.device)).cumsum(0)
    course = course - course[size]
    widths = width * torch.exp(0.4 * functional.avg_pool1d(source.normal(1, 1, 2 * size + 9), 9, 1)[0, 0] * 3)
    index = (u + size).clamp(0, 2 * size - 1)
    low = index.long()
    share = index - low
    middle = course[low] * (1 - share) + course[low + 1] * share
    lean = (1 + (course[low + 1] - course[low]) ** 2).sqrt()
    ends = torch.sigmoid((length / 2 - u.abs()) * 1.0)
    return torch.sigmoid((widths[low] / 2 - (v - middle).abs() / lean) * 3) * ends


def _chip(source: Source, outside: Tensor) -> Tensor:
    """A blob at the border of the part, or of the picture where no border is in sight."""
    size = source.size
    near = ((outside > 0.3) & (outside < 0.7)).nonzero()
    if len(near):
        centre = near[int(source.rng.integers(len(near)))].float()
    else:
        centre = size * source.uniform(2)
        centre[int(source.rng.integers(2))] = float(source.rng.choice([0, size - 1]))
    return _blob(source, source.logarithmic(5, 25), 0.4, centre)


def _shaded(source: Source, picture: Tensor, mask: Tensor, contrast: float, rim: float = 0.0) -> Tensor:
    """Darker or brighter inside, with a lip of the other sign around it."""
    filled = (picture.mean() * (1 + 3 * contrast)).clamp(0, 1) + 0.3 * (picture - picture.mean())
    changed = picture + contrast if source.chance(0.5) else filled
    mixed = picture * (1 - mask) + changed * mask
    if rim:
        lip = (blurred(mask[None, None], 1.5)[0, 0] - mask).clamp_min(0)
        mixed = mixed - rim * contrast * lip
    return mixed


def _embossed(source: Source, picture: Tensor, mask: Tensor, contrast: float) -> Tensor:
    """A bump or a dent under light from one side."""
    height = blurred(mask[None, None], source.logarithmic(0.6, 4))[0, 0]
    angle = source.between(0, 2 * math.pi)
    gy, gx = torch.gradient(height)
    slope = gx * math.cos(angle) + gy * math.sin(angle)
    slope = slope / (slope.abs().amax() + 1e-4)
    return picture * (1 + 2.5 * contrast * slope).clamp(0.05, 3)
