"""Layers on a photograph: what a defect or an impurity would change of the picture of a good surface.

The photograph keeps its light and its texture. Each pixel is multiplied by the ratio of what the surface sends to the
camera with the layers to what it sends without them: albedo over albedo, and shading of the relief over shading of the
flat surface, under the photograph's own light. Where nothing changes, the pixels stay as they are.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.errors import BlemishError
from procgen.surface.checks import require
from procgen.surface.layer import Family, FinishSample, Layer, LayerSample, SurfaceMaps, SurfacePoints, compose

Floats = NDArray[np.float64]
Vector = tuple[float, float, float]

TEXTURE_SCALE = 6.0  # px; what varies over less is the texture of the surface, which a cover hides, not its light
BRIGHTEST = 4.0  # times the flat surface: more is clipped, as the facets of a real edge are too small for a full mirror
DARKEST_ALBEDO = 0.02  # no surface is blacker, and the ratio to it stays bounded
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # ITU-R BT.709
LEAST_ROUGHNESS = 0.05
BLUR_REACH = 4.0  # standard deviations


@dataclass(frozen=True)
class PhotoLight:
    """The light of a photograph that was taken from straight above.

    directions: unit vectors from the surface towards the lights, x to the right of the picture, y up, z to the camera.
    weights: the irradiance that each gives the flat surface, in any one unit. ambient: what comes evenly from
    everywhere, as a share of all, 0 to 1. gloss: share of what the camera sees that is mirrored in facets of the
    surface rather than scattered, 0 to 1; with 0 the surface is Lambert's.
    Where all is ambient there need be no directions, and facets mirror the same brightness from everywhere.
    Raises BlemishError for lights that do not stand above the surface and shares out of range.
    """

    directions: tuple[Vector, ...]
    weights: tuple[float, ...]
    ambient: float = 0.0
    gloss: float = 0.0

    def __post_init__(self) -> None:
        require("light of a photo", ambient=(self.ambient, "0 to 1"), gloss=(self.gloss, "0 to 1"))
        if len(self.directions) != len(self.weights) or not (self.directions or self.ambient == 1.0):
            raise BlemishError(
                f"light of a photo: found {len(self.directions)} directions and {len(self.weights)} weights; expected "
                "as many of both, and at least one"
            )
        for direction, weight in zip(self.directions, self.weights, strict=True):
            require("light of a photo", height=(direction[2], "positive"), weight=(weight, "not negative"))
        if self.directions and not sum(self.weights) > 0.0:
            raise BlemishError("light of a photo: found no light with a weight above 0; expected one at least")

    def shading(self, normals: Floats, roughness: Floats, bare_roughness: float) -> Floats:
        """What (N, 3) unit normals of (N,) roughness send to the camera, over what the flat bare surface sends."""
        weights = np.array(self.weights) / (sum(self.weights) or 1.0)
        scattered, mirrored = np.zeros(len(normals)), np.full(len(normals), 0.0 if self.directions else 1.0)
        for direction, weight in zip(np.array(self.directions).reshape(-1, 3), weights, strict=True):
            scattered += weight * np.maximum(normals @ direction, 0.0) / direction[2]
            if self.gloss > 0.0:
                half = direction + np.array([0.0, 0.0, 1.0])
                half /= np.linalg.norm(half)
                flat = _facets(half[2], np.array(bare_roughness))
                mirrored += weight * np.minimum(_facets(normals @ half, roughness) / flat, BRIGHTEST)
        # The open sky above a tilted facet shrinks to (1 + n_z)/2.
        sky = 0.5 * (1.0 + normals[:, 2])
        lit = self.ambient * sky + (1.0 - self.ambient) * scattered
        return (1.0 - self.gloss) * lit + self.gloss * mirrored


@dataclass(frozen=True)
class BareSurface:
    """The finish that a photograph is taken to show everywhere: flat, of one linear base colour and roughness."""

    base_colour: Vector
    roughness: float

    anisotropy: float = 0.0
    lay_direction: Vector = (1.0, 0.0, 0.0)
    coat: float = 0.0

    def __post_init__(self) -> None:
        require(
            "bare surface",
            roughness=(self.roughness, "0 to 1"),
            **{f"base_colour[{i}]": (value, "0 to 1") for i, value in enumerate(self.base_colour)},
        )

    def evaluate(self, points: SurfacePoints | ArrayLike) -> FinishSample:
        """The same at every point."""
        count = len(SurfacePoints.of(points))
        colour = np.maximum(np.array(self.base_colour, dtype=np.float32), np.float32(DARKEST_ALBEDO))
        zeros = np.zeros(count, dtype=np.float32)
        return FinishSample(zeros, np.tile(colour, (count, 1)), np.full(count, self.roughness, np.float32), zeros)


@dataclass(frozen=True)
class PhotoResult:
    """A photograph with layers: linear (H, W[, 3]) as it came, which pixels (H, W) changed, and the surface's maps.

    The maps have row 0 at the bottom of the picture.
    """

    linear: Floats
    changed: NDArray[np.bool_]
    maps: SurfaceMaps


def photo_points(shape: tuple[int, int], scale: float) -> SurfacePoints:
    """The centres of the pixels of an (H, W) photograph of `scale` metres per pixel, row 0 at its bottom.

    The middle of the picture is the origin, x runs to its right, y up and z to the camera.
    """
    rows, columns = shape
    require("photo", scale=(scale, "positive"))
    x = (np.arange(columns) + 0.5 - columns / 2) * scale
    y = (np.arange(rows) + 0.5 - rows / 2) * scale
    positions = np.zeros((rows, columns, 3))
    positions[..., 0], positions[..., 1] = x[np.newaxis, :], y[:, np.newaxis]
    flat = SurfacePoints.of(positions.reshape(-1, 3))
    return SurfacePoints(flat.positions, flat.normals, flat.tangents, shape, (scale, scale))


def synthesize(
    linear: Floats,
    scale: float,
    layers: Iterable[Layer],
    class_bits: Mapping[str, int],
    bare: BareSurface,
    light: PhotoLight,
    blur: float = 0.0,
) -> PhotoResult:
    """Lay layers on a photograph.

    linear: (H, W) or (H, W, 3), proportional to the light that arrived. scale: metres per pixel. class_bits: class name
    -> bit. blur: standard deviation in px of the camera's blur, which the change of the picture goes through.
    Raises BlemishError for arrays of other shapes and what `compose` refuses.
    """
    if linear.ndim not in (2, 3) or linear.shape[2:] not in ((), (3,)):
        raise BlemishError(f"photo: found an array of shape {linear.shape}; expected (H, W) or (H, W, 3)")
    uncovered: list[Floats] = []
    watched = [_Watched(layer, uncovered) for layer in layers]
    maps = compose(photo_points((linear.shape[0], linear.shape[1]), scale), bare, watched, class_bits)

    untouched = bare.evaluate(np.zeros((1, 3)))
    colour, normals, roughness = maps.base_colour[::-1], maps.normal[::-1], maps.roughness[::-1]
    texture_left = np.ones(linear.shape[:2])
    for share in uncovered:
        texture_left *= share.reshape(linear.shape[:2])[::-1]
    touched = (
        (colour != untouched.base_colour[0]).any(axis=2)
        | (normals[..., 2] != 1.0)
        | (roughness != untouched.roughness[0])
        | (texture_left != 1.0)
    )
    ratio = np.ones(linear.shape)
    shading = light.shading(normals[touched].astype(np.float64), roughness[touched].astype(np.float64), bare.roughness)
    albedo, bare_albedo = colour[touched].astype(np.float64), untouched.base_colour[0].astype(np.float64)
    if linear.ndim == 2:
        ratio[touched] = shading * (albedo @ LUMINANCE) / (bare_albedo @ LUMINANCE)
    else:
        ratio[touched] = shading[:, np.newaxis] * albedo / bare_albedo
    if (texture_left != 1.0).any():
        ratio *= _without_texture(linear, texture_left)
    if blur > 0.0:
        ratio = 1.0 + _blurred(ratio - 1.0, blur)
    changed = ratio != 1.0
    return PhotoResult(linear * ratio, changed if linear.ndim == 2 else changed.any(axis=2), maps)


@dataclass(frozen=True)
class _Watched:
    """A layer that leaves a note of what it leaves uncovered."""

    layer: Layer
    uncovered: list[Floats]

    @property
    def family(self) -> Family:
        return self.layer.family

    @property
    def class_name(self) -> str:
        return self.layer.class_name

    def evaluate(self, points: SurfacePoints | ArrayLike) -> LayerSample:
        sample = self.layer.evaluate(points)
        if sample.opacity.any():
            self.uncovered.append(1.0 - sample.opacity.astype(np.float64))
        return sample


def _facets(cosine: Floats, roughness: Floats) -> Floats:
    """Density of microfacets that face a direction at this cosine from the normal (GGX; [Walter 2007])."""
    alpha_squared = np.maximum(roughness, LEAST_ROUGHNESS) ** 4
    cosine_squared = np.maximum(cosine, 0.0) ** 2
    return np.asarray(alpha_squared / (cosine_squared * (alpha_squared - 1.0) + 1.0) ** 2)


def _without_texture(linear: Floats, texture_left: Floats) -> Floats:
    """What takes the texture of a photograph away: all of it where `texture_left` (H, W) is 0, none where it is 1."""
    from scipy.ndimage import gaussian_filter

    widths = (TEXTURE_SCALE, TEXTURE_SCALE, 0.0)[: linear.ndim]
    smooth = gaussian_filter(linear, widths, mode="nearest")
    flattening = np.divide(smooth, linear, out=np.ones_like(linear), where=linear > 0.0)
    exponent = 1.0 - (texture_left if linear.ndim == 2 else texture_left[..., np.newaxis])
    return np.asarray(np.where(exponent == 0.0, 1.0, flattening**exponent))


def _blurred(change: Floats, blur: float) -> Floats:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(change, (blur, blur, 0.0)[: change.ndim], mode="nearest", truncate=BLUR_REACH))
