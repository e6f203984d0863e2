"""Foreign textures: the finishes that Blemish knows, under a light of chance, and altered three times over.

[Zavrtanik 2021] takes photographs of textures; these need none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps
from skimage.color import hsv2rgb, rgb2hsv

from procgen.surface.layer import compose
from procgen.surface.photo import PhotoLight, photo_points
from scenes.camera.imaging import pixel_footprint
from scenes.camera.transfer import transferred
from scenes.catalogue.registry import FINISHES
from scenes.quantities.random_stream import RandomStream
from scenes.recipes.examples import example
from scenes.recipes.recipe import Recipe
from scenes.recipes.sampling import draw

Bytes = NDArray[np.uint8]
ALTERATIONS = 3  # of those below, each at most once
NEARER, FARTHER = 0.5, 4.0  # millimetres a pixel, over those of the finish's own example
LOWEST, HIGHEST = 20.0, 70.0  # degrees of the light above the surface
AMBIENT, GLOSS = 0.3, 0.3  # as in `procgen.surface.photo`


def kinds() -> tuple[str, ...]:
    """The kinds of finish that there are textures of."""
    return tuple(kind for kind, entry in FINISHES.items() if entry.recipe is not None)


@cache
def recipe_of(kind: str) -> Recipe:
    """The recipe that shows a kind of finish."""
    return example("finish", kind).recipes[0]


def texture(shape: tuple[int, int], random: np.random.Generator) -> tuple[str, Bytes]:
    """The kind of a finish and a picture (H, W, 3) of it, altered."""
    kind = str(random.choice(kinds()))
    picture = lit(kind, shape, random)
    for number in random.permutation(len(CHANGES))[:ALTERATIONS]:
        picture = CHANGES[number](picture, random)
    return kind, picture


def lit(kind: str, shape: tuple[int, int], random: np.random.Generator) -> Bytes:
    """(H, W, 3) a finish of a kind, drawn anew, near or far, under one light and what comes from all round."""
    recipe, seed = recipe_of(kind), int(random.integers(2**31))
    scene = draw(recipe, seed, 0)
    scale = pixel_footprint(scene.camera, scene.camera.focus_distance) * math.exp(
        random.uniform(math.log(NEARER), math.log(FARTHER))
    )
    maps = compose(photo_points(shape, scale), recipe.finish.sample(RandomStream(seed, 0)), (), {})
    azimuth, height = random.uniform(0, 2 * math.pi), math.radians(random.uniform(LOWEST, HIGHEST))
    flat = math.cos(height)
    light = PhotoLight(
        ((flat * math.cos(azimuth), flat * math.sin(azimuth), math.sin(height)),), (1.0,), AMBIENT, GLOSS
    )
    shading = light.shading(
        maps.normal.reshape(-1, 3).astype(np.float64),
        maps.roughness.ravel().astype(np.float64),
        float(np.median(maps.roughness)),
    )
    linear = np.clip(maps.base_colour.reshape(-1, 3) * shading[:, None], 0.0, 1.0).astype(np.float32)
    stored = transferred(linear, "srgb").reshape(*shape, 3)
    picture: Bytes = np.rint(stored * 255).astype(np.uint8)[::-1]
    return picture


def brightened(picture: Bytes, random: np.random.Generator) -> Bytes:
    return _as_bytes(picture * float(random.uniform(0.8, 1.2)) + random.uniform(-30, 30))


def gamma_changed(picture: Bytes, random: np.random.Generator) -> Bytes:
    return _as_bytes(255 * (picture / 255) ** random.uniform(0.5, 2.0, 3))


def sharpened(picture: Bytes, random: np.random.Generator) -> Bytes:
    return np.asarray(ImageEnhance.Sharpness(Image.fromarray(picture)).enhance(random.uniform(0.1, 1.9)))


def recoloured(picture: Bytes, random: np.random.Generator) -> Bytes:
    hsv = rgb2hsv(picture)
    hsv[..., 0] = (hsv[..., 0] + random.uniform(-0.2, 0.2)) % 1.0
    hsv[..., 1] = np.clip(hsv[..., 1] + random.uniform(-0.2, 0.2), 0.0, 1.0)
    return _as_bytes(hsv2rgb(hsv) * 255)


def solarised(picture: Bytes, random: np.random.Generator) -> Bytes:
    return np.asarray(ImageOps.solarize(Image.fromarray(picture), int(random.integers(32, 129))))


def posterised(picture: Bytes, random: np.random.Generator) -> Bytes:
    return np.asarray(ImageOps.posterize(Image.fromarray(picture), int(random.integers(3, 8))))


def inverted(picture: Bytes, random: np.random.Generator) -> Bytes:
    return np.asarray(ImageOps.invert(Image.fromarray(picture)))


def stretched(picture: Bytes, random: np.random.Generator) -> Bytes:
    return np.asarray(ImageOps.autocontrast(Image.fromarray(picture)))


def equalised(picture: Bytes, random: np.random.Generator) -> Bytes:
    return np.asarray(ImageOps.equalize(Image.fromarray(picture)))


# The alterations of the paper's texture, by what each does.
CHANGES: tuple[Callable[[Bytes, np.random.Generator], Bytes], ...] = (
    gamma_changed,
    brightened,
    sharpened,
    recoloured,
    solarised,
    posterised,
    inverted,
    stretched,
    equalised,
)


def _as_bytes(values: NDArray[Any]) -> Bytes:
    rounded: Bytes = np.rint(np.clip(values, 0, 255)).astype(np.uint8)
    return rounded
