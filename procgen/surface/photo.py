"""Layers on a photograph: what a defect or an impurity would change of the picture of a good surface.

The photograph keeps its light and its texture. Each pixel is multiplied by the ratio of what the surface sends to the
camera with the layers to what it sends without them, under the photograph's own light. Where nothing changes, the
pixels stay as they are.

How much of that is mirrored is told by a share (`PhotoLight.gloss`), with which albedo over albedo is multiplied by
shading of the relief over shading of the flat surface; or it follows from the material, as in Blender's Principled
shader: metal mirrors in its own colour and scatters nothing, everything else scatters under a mirror of 4 %.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

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
MIRRORED = 0.04  # share of the light that a surface of no metal mirrors where it is seen from above (Fresnel, n = 1.5)
COVERED = 0.4  # share of a pixel from which on what lies there is in its mask; nearest to the masks of renders
BLUR_REACH = 4.0  # standard deviations


@dataclass(frozen=True)
class PhotoLight:
    """The light of a photograph that was taken from straight above.

    directions: unit vectors from the surface towards the lights, x to the right of the picture, y up, z to the camera.
    weights: the irradiance that each gives the flat surface, in any one unit. ambient: what comes evenly from
    everywhere, as a share of all, 0 to 1. gloss: share of what the camera sees that is mirrored in facets of the
    surface rather than scattered, 0 to 1; with 0 the surface is Lambert's, with None as much as the material says.
    solid_angles: steradians that each light takes as the surface sees it; none given are points.
    Where all is ambient there need be no directions, and facets mirror the same brightness from everywhere.
    Raises BlemishError for lights that do not stand above the surface and shares out of range.
    """

    directions: tuple[Vector, ...]
    weights: tuple[float, ...]
    ambient: float = 0.0
    gloss: float | None = 0.0
    solid_angles: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        require("light of a photo", ambient=(self.ambient, "0 to 1"), gloss=(self.gloss or 0.0, "0 to 1"))
        if len(self.solid_angles) not in (0, len(self.directions)):
            raise BlemishError(
                f"light of a photo: found {len(self.directions)} directions and {len(self.solid_angles)} solid angles; "
                "expected as many of both, or no solid angles"
            )
        for angle in self.solid_angles:
            require("light of a photo", solid_angle=(angle, "not negative"))
        if len(self.directions) != len(self.weights) or not (self.directions or self.ambient == 1.0):
            raise BlemishError(
                f"light of a photo: found {len(self.directions)} directions and {len(self.weights)} weights; expected "
                "as many of both, and at least one"
            )
        for direction, weight in zip(self.directions, self.weights, strict=True):
            require("light of a photo", height=(direction[2], "positive"), weight=(weight, "not negative"))
        if self.directions and not sum(self.weights) > 0.0:
            raise BlemishError("light of a photo: found no light with a weight above 0; expected one at least")

    def sent(self, surface: "Surface", flat: "Surface") -> tuple[Floats, Floats]:
        """(N, 3) and (1, 3): what points of a surface send to the camera, and the flat bare surface, in one unit."""
        if self.gloss is None:
            before = self._by_material(flat, np.zeros(3))
            return self._by_material(surface, before), before
        shading = self.shading(surface.normals, surface.roughness, flat.roughness[0])
        return shading[:, np.newaxis] * surface.colour, flat.colour

    def shading(self, normals: Floats, roughness: Floats, bare_roughness: float) -> Floats:
        """What (N, 3) unit normals of (N,) roughness send to the camera, over what the flat bare surface sends.

        Of a share `gloss` that is mirrored.
        """
        gloss = self.gloss or 0.0
        mirrored = np.full(len(normals), 0.0 if self.directions else 1.0)
        for weight, half in zip(self._shares, self._halves, strict=True) if gloss > 0.0 else ():
            flat = _facets(half[2], np.array(bare_roughness))
            mirrored += weight * np.minimum(_facets(normals @ half, roughness) / flat, BRIGHTEST)
        return (1.0 - gloss) * self._scattered(normals) + gloss * mirrored

    @property
    def _towards(self) -> Floats:
        """(L, 3): the directions."""
        return np.array(self.directions).reshape(-1, 3)

    @property
    def _shares(self) -> Floats:
        """(L,) of the light of each, summing to 1."""
        return np.array(self.weights) / (sum(self.weights) or 1.0)

    @property
    def _halves(self) -> Floats:
        """(L, 3) unit vectors half-way between the lights and the camera."""
        halves = self._towards + np.array([0.0, 0.0, 1.0])
        return np.asarray(halves / np.linalg.norm(halves, axis=1, keepdims=True))

    def _scattered(self, normals: Floats) -> Floats:
        """(N,) of a white Lambertian surface, over what it sends where it is flat."""
        scattered = np.zeros(len(normals))
        for direction, weight in zip(self._towards, self._shares, strict=True):
            scattered += weight * np.maximum(normals @ direction, 0.0) / direction[2]
        # The open sky above a tilted facet shrinks to (1 + n_z)/2.
        sky = 0.5 * (1.0 + normals[:, 2])
        return np.asarray(self.ambient * sky + (1.0 - self.ambient) * scattered)

    def _mirrored(self, normals: Floats, roughness: Floats) -> Floats:
        """(N,) of a surface that mirrors all, over what a flat white Lambertian one sends.

        Microfacets of [Walter 2007], without their shadows. A light of a solid angle is seen in as many more of them as
        a rougher surface has, by the angle of which it is across; so nothing gets brighter than the light itself.
        """
        mirrored = np.zeros(len(normals))
        angles = self.solid_angles or (0.0,) * len(self.directions)
        lights = zip(self._towards, self._shares, self._halves, angles, strict=True)
        for direction, weight, half, angle in lights:
            wide = (np.maximum(roughness, LEAST_ROUGHNESS) ** 4 + angle / (4.0 * np.pi)) ** 0.25
            facets = _facets(normals @ half, wide) / (4.0 * direction[2])
            mirrored += np.where(normals @ direction > 0.0, weight * facets, 0.0)
        return np.asarray(self.ambient + (1.0 - self.ambient) * mirrored)

    def _by_material(self, surface: "Surface", beside: Floats) -> Floats:
        """(N, 3) of metal that mirrors in its colour, and of all else that scatters under a mirror of 4 %.

        beside: (3,) what the surface beside it sends, which tilted points see in the place of sky.
        """
        metallic, up = surface.metallic[:, np.newaxis], surface.normals[:, 2:]
        scattered = self._scattered(surface.normals)[:, np.newaxis] + 0.5 * (1.0 - up) * beside
        mirrored = self._mirrored(surface.normals, surface.roughness)[:, np.newaxis] + (1.0 - up**2) * beside
        mirror = metallic * surface.colour + (1.0 - metallic) * MIRRORED
        return np.asarray((1.0 - metallic) * surface.colour * scattered + mirror * mirrored)


@dataclass(frozen=True, eq=False)
class Surface:
    """Points of a surface: unit normals (N, 3), linear base colour (N, 3), roughness (N,) and metallic (N,), 0 to 1."""

    normals: Floats
    colour: Floats
    roughness: Floats
    metallic: Floats


@dataclass(frozen=True)
class BareSurface:
    """The finish that a photograph is taken to show everywhere: flat, of one linear base colour and roughness.

    metallic: 0 to 1, of which a share of mirrored light that is told takes no notice.
    """

    base_colour: Vector
    roughness: float
    metallic: float = 0.0

    anisotropy: float = 0.0
    lay_direction: Vector = (1.0, 0.0, 0.0)
    coat: float = 0.0

    def __post_init__(self) -> None:
        require(
            "bare surface",
            roughness=(self.roughness, "0 to 1"),
            metallic=(self.metallic, "0 to 1"),
            **{f"base_colour[{i}]": (value, "0 to 1") for i, value in enumerate(self.base_colour)},
        )

    def evaluate(self, points: SurfacePoints | ArrayLike) -> FinishSample:
        """The same at every point."""
        count = len(SurfacePoints.of(points))
        colour = np.maximum(np.array(self.base_colour, dtype=np.float32), np.float32(DARKEST_ALBEDO))
        height, roughness, metallic = (
            np.full(count, value, np.float32) for value in (0.0, self.roughness, self.metallic)
        )
        return FinishSample(height, np.tile(colour, (count, 1)), roughness, metallic)


@dataclass(frozen=True)
class PhotoResult:
    """A photograph with layers: linear (H, W[, 3]) as it came, which pixels (H, W) changed, and the surface's maps.

    The maps have row 0 at the bottom of the picture, and `points` by `points` points of every pixel.
    """

    linear: Floats
    changed: NDArray[np.bool_]
    maps: SurfaceMaps
    points: int = 1

    def masks(self) -> NDArray[np.uint16]:
        """(3, H, W) uint16, row 0 at the top: class bits, ids of defects and of impurities.

        A class is in every pixel of which it covers two fifths at least, and so is what a family has there; its id is
        the one of most points.
        """
        labels = np.stack([self.maps.classes, self.maps.defects, self.maps.impurities])[:, ::-1]
        if self.points == 1:
            return labels  # which on a whole photograph takes no time
        there = _of_pixels(np.moveaxis(labels, 0, -1), self.points)
        found = np.zeros((3, *there.shape[:2]), dtype=np.uint16)
        for bit in range(16):
            has = (there[..., 0, :] >> bit & 1).mean(axis=-1) >= COVERED
            found[0][has] |= 1 << bit
        for family in (1, 2):
            ids = there[..., family, :]
            has = np.count_nonzero(ids, axis=-1) >= COVERED * ids.shape[-1]
            found[family][has] = _most_frequent(ids[has])
        return found


def _most_frequent(ids: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """(N,) of (N, M) the id that comes up most often in every row, 0 aside; of several the highest."""
    highest_first = -np.sort(-ids.astype(np.int32), axis=1)
    times = (highest_first[:, :, np.newaxis] == highest_first[:, np.newaxis]).sum(axis=2) * (highest_first > 0)
    return np.take_along_axis(highest_first, times.argmax(axis=1)[:, np.newaxis], axis=1)[:, 0].astype(np.uint16)


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
    points: int = 1,
) -> PhotoResult:
    """Lay layers on a photograph.

    linear: (H, W) or (H, W, 3), proportional to the light that arrived. scale: metres per pixel. class_bits: class name
    -> bit. blur: standard deviation in px of the camera's blur, which the change of the picture goes through. points:
    along either side of a pixel, over which what it shows is averaged: with one, what is narrower than a pixel is as
    dark as if it filled it, and has gaps.
    Raises BlemishError for arrays of other shapes and what `compose` refuses.
    """
    if linear.ndim not in (2, 3) or linear.shape[2:] not in ((), (3,)):
        raise BlemishError(f"photo: found an array of shape {linear.shape}; expected (H, W) or (H, W, 3)")
    uncovered: list[Floats] = []
    watched = [_Watched(layer, uncovered) for layer in layers]
    grid = linear.shape[0] * points, linear.shape[1] * points
    maps = compose(photo_points(grid, scale / points), bare, watched, class_bits)

    untouched = bare.evaluate(np.zeros((1, 3)))
    texture_left = np.ones(grid)
    for share in uncovered:
        texture_left *= share.reshape(grid)
    touched = (
        (maps.base_colour != untouched.base_colour[0]).any(axis=2)
        | (maps.normal[..., 2] != 1.0)
        | (maps.roughness != untouched.roughness[0])
        | (texture_left != 1.0)
    )
    sent, before = light.sent(_surface(maps, touched), _flat(untouched))
    if linear.ndim == 2:
        sent, before = sent @ LUMINANCE, before @ LUMINANCE
    ratio = np.ones((*grid, *linear.shape[2:]))
    ratio[touched] = sent / before if light.gloss is not None else np.minimum(sent / before, BRIGHTEST)
    ratio, texture_left = (_of_pixels(values[::-1], points).mean(axis=-1) for values in (ratio, texture_left))
    if (texture_left != 1.0).any():
        ratio *= _without_texture(linear, texture_left)
    if blur > 0.0:
        ratio = 1.0 + _blurred(ratio - 1.0, blur)
    changed = ratio != 1.0
    return PhotoResult(linear * ratio, changed if linear.ndim == 2 else changed.any(axis=2), maps, points)


def _of_pixels(values: NDArray[Any], points: int) -> NDArray[Any]:
    """(H, W, ..., points²) of values (H points, W points, ...)."""
    rows, columns = values.shape[0] // points, values.shape[1] // points
    split = values.reshape(rows, points, columns, points, *values.shape[2:])
    return np.moveaxis(split, (1, 3), (-2, -1)).reshape(rows, columns, *values.shape[2:], points**2)


def _surface(maps: SurfaceMaps, where: NDArray[np.bool_]) -> Surface:
    found = (maps.normal, maps.base_colour, maps.roughness, maps.metallic)
    return Surface(*(values[where].astype(np.float64) for values in found))


def _flat(sample: FinishSample) -> Surface:
    normals = np.tile((0.0, 0.0, 1.0), (len(sample.roughness), 1))
    found = (sample.base_colour, sample.roughness, sample.metallic)
    return Surface(normals, *(values.astype(np.float64) for values in found))


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
