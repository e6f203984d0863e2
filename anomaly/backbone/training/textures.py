"""Surfaces of the catalogue's own finishes, with and without its defects and impurities, as maps to cut from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scenes.catalogue.registry import GROUPS, Group
from scenes.maps import surface_maps
from scenes.recipes.examples import KINDS, STAGE
from scenes.recipes.reading import recipe_fields
from scenes.recipes.recipe import recipe_from
from scenes.recipes.sampling import draw

SIDE_MM = 26.0  # of the plate that a surface is drawn on
TEXELS_UM = (75.0, 250.0)


@dataclass(frozen=True)
class Texture:
    """Maps of one plate: `bare` and `damaged` (4, H, W) half-precision, base colour and height in texels; `mask`."""

    kind: str
    bare: Tensor
    damaged: Tensor
    mask: Tensor

    def to(self, device: str) -> Texture:
        """The same maps on another device."""
        return Texture(self.kind, self.bare.to(device), self.damaged.to(device), self.mask.to(device))


def draw_texture(seed: int, index: int) -> Texture:
    """A plate of a random finish of the catalogue with a random defect or impurity of it, at a random texel size."""
    rng = np.random.default_rng([seed, index])
    finish = str(rng.choice(_undemanding("finish")))
    group: Group = "defects" if rng.random() < 0.75 else "impurities"
    kind = str(rng.choice(_undemanding(group)))
    fields = {name: value for part in (STAGE, KINDS / f"{finish}.yaml") for name, value in _fields(part).items()}
    fields["part"] = {"kind": "plate", "width_mm": SIDE_MM, "height_mm": SIDE_MM, "thickness_mm": 3}
    fields.pop("seed", None)
    sections = [section for section in _fields(KINDS / f"{kind}.yaml")[group] if section["kind"] == kind]
    recipe = GROUPS[group][kind].recipe
    if recipe is not None and "severity" in recipe.model_fields:
        sections = [{**section, "severity": float(rng.uniform(0.4, 1.0))} for section in sections]
    low, high = np.log(TEXELS_UM)
    fields.update({group: sections, "texel_um": float(np.exp(rng.uniform(low, high)))})
    scene = draw(recipe_from(fields, kind), int(rng.integers(2**31)), 0)
    bare = surface_maps(scene.model_copy(update={"layers": (), "charts": ()}))
    damaged = surface_maps(scene)
    texel = scene.texel_size
    packed = []
    for maps in (bare, damaged):
        values = np.concatenate([maps.base_colour, maps.height[..., None] / texel], axis=-1)
        packed.append(torch.from_numpy(values).permute(2, 0, 1).half())
    return Texture(kind, packed[0], packed[1], torch.from_numpy((damaged.defects > 0) | (damaged.impurities > 0)))


def _undemanding(group: Group) -> list[str]:
    """The kinds of a group that require nothing of the surface: a texture is cut from the middle of a plate."""
    return sorted(kind for kind, entry in GROUPS[group].items() if not entry.requires)


def lit(maps: Tensor, gain: float, angle: float) -> Tensor:
    """(3, H, W) of maps (4, H, W): the base colour as a screen encodes it, shaded by the slope of the height."""
    gy, gx = torch.gradient(maps[3].float())
    slope = gx * math.cos(angle) + gy * math.sin(angle)
    return maps[:3].float().clamp_min(1e-4) ** (1 / 2.2) * (1 + gain * slope).clamp(0.15, 2.5)


def _fields(path: Path) -> dict[str, Any]:
    fields = recipe_fields(path)
    assert isinstance(fields, dict)
    return fields
