"""Defects and impurities on photographs of good surfaces: `blemish synthesize`.

The layers of a recipe are drawn on the photograph's rectangle and change its pixels; see `procgen.surface.photo`. The
result is a dataset like any other, whose frames have the part `photo`.
"""

from __future__ import annotations

import hashlib
import math
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from procgen.errors import BlemishError
from procgen.surface.layer import Instance, SurfacePoints
from procgen.surface.photo import BareSurface, PhotoLight, photo_points, synthesize
from scenes.camera.imaging import camera_above, pixel_footprint
from scenes.camera.sensor import linearised, quantised, transferred
from scenes.datasets.dataset import Dataset, DatasetWriter
from scenes.parts import build_part
from scenes.parts.photo import Photo
from scenes.pictures import png
from scenes.quantities.random_stream import RandomStream
from scenes.recipes.recipe import Recipe
from scenes.recipes.sampling import draw, drawn_layers
from scenes.scene import AreaPanel, Light, Scene

LEAST_SIDE, MOST_PIXELS = 16, 1 << 24
FINISH_SAMPLES = 24  # along either side, from which the base colour and roughness of the recipe's finish are taken
LAMP_DISTANCE = 1000.0  # over the photograph's longer side, so that a lamp's light is parallel
TIFF_SIGNATURES = (b"II*\0", b"MM\0*")
GLOSS = 0.2  # share of the picture that is mirrored in the surface, where nobody says otherwise

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


class PhotoError(BlemishError):
    """A photograph that cannot be worked on; names the file and what to do."""


@dataclass(frozen=True, eq=False)
class Photograph:
    """pixels: (H, W) or (H, W, 3), uint8 or uint16, as the file has them; name and SHA-256 of the file."""

    pixels: Pixels
    name: str
    sha256: str


@dataclass(frozen=True)
class Lamp:
    """One light from `azimuth`, counter-clockwise from the right of the picture, `elevation` above it; radians.

    ambient: share of all light that comes from everywhere else.
    """

    azimuth: float
    elevation: float
    ambient: float = 0.3


def read_photograph(path: Path) -> Photograph:
    """Read a photograph, turned as its camera noted. Raises PhotoError for what is no grey or colour picture."""
    try:
        content = path.read_bytes()
    except IsADirectoryError:
        raise PhotoError(f"{path}: is a folder; name the photographs in it, as {path}/*.png") from None
    except OSError as error:
        raise PhotoError(
            f"{path}: cannot be read ({error.strerror}); check its name and whether you may read it"
        ) from None
    pixels = _decoded(path, content)
    height, width = pixels.shape[:2]
    if min(height, width) < LEAST_SIDE or height * width > MOST_PIXELS:
        raise PhotoError(
            f"{path}: is {width} x {height} pixels; expected {LEAST_SIDE} or more a side and at most "
            f"{MOST_PIXELS >> 20} million in all: crop it or scale it"
        )
    return Photograph(pixels, path.name, hashlib.sha256(content).hexdigest())


def draw_on(photo: Photograph, recipe: Recipe, seed: int, index: int, scale: float | None, lamp: Lamp | None) -> Scene:
    """The scene of a photograph under the layers of a recipe; the same arguments give the same scene, bit for bit.

    scale: metres per pixel; None where the photograph shows what the recipe's camera would see, from side to side.
    lamp: the photograph's light; None for that of the recipe. Finish and sensor are the recipe's.
    """
    scene = draw(recipe, seed, index)
    height, width = photo.pixels.shape[:2]
    if scale is None:
        scale = pixel_footprint(scene.camera, scene.camera.focus_distance) * scene.camera.width / width
    sheet = Photo(width=scale * width, height=scale * height, name=photo.name, sha256=photo.sha256)
    layers, _ = drawn_layers(recipe, build_part(sheet), RandomStream(seed, index))
    camera = camera_above(
        field_width=sheet.width,
        focal_length=scene.camera.focal_length,
        sensor_width=scene.camera.sensor_width,
        resolution=(width, height),
    )
    bits = 8 if photo.pixels.dtype == np.uint8 else 16
    sensor = scene.sensor.model_copy(update={"bits": bits, "monochrome": photo.pixels.ndim == 2})
    changes = {
        "part": sheet,
        "layers": layers,
        "charts": (),
        "texel_size": scale,
        "camera": camera,
        "sensor": sensor,
        "light": scene.light if lamp is None else _light_of(lamp, sheet),
    }
    return scene.model_copy(update=changes)


def frame_of(
    photo: Photograph, scene: Scene, gloss: float = GLOSS
) -> tuple[Pixels, NDArray[np.uint16], tuple[Instance, ...]]:
    """Lay a scene's layers on its photograph.

    Returns the picture like the photograph's pixels, (3, H, W) class bits, defect and impurity ids, and the instances.
    """
    part = build_part(scene.part)
    layers = [layer.to_layer(part.charts[chart]) for layer, chart in scene.placed_layers()]
    most = np.iinfo(photo.pixels.dtype).max
    linear = linearised(photo.pixels / most, scene.sensor.transfer)
    result = synthesize(
        linear,
        scene.texel_size,
        layers,
        scene.classes,
        bare_surface(scene, photo_points((FINISH_SAMPLES, FINISH_SAMPLES), scene.part.framed_width / FINISH_SAMPLES)),
        photo_light(scene.light, gloss),
        scene.sensor.blur,
    )
    pixels = photo.pixels.copy()
    stored = transferred(np.clip(result.linear[result.changed], 0.0, 1.0).astype(np.float32), scene.sensor.transfer)
    pixels[result.changed] = quantised(stored, scene.sensor.bits)
    maps = result.maps
    return pixels, np.stack([maps.classes, maps.defects, maps.impurities])[:, ::-1], maps.instances


def bare_surface(scene: Scene, points: SurfacePoints) -> BareSurface:
    """The median colour and roughness of a scene's finish over some points."""
    sample = scene.finish.evaluate(points)
    red, green, blue = (float(channel) for channel in np.median(sample.base_colour, axis=0))
    return BareSurface((red, green, blue), float(np.median(sample.roughness)))


def photo_light(light: Light, gloss: float) -> PhotoLight:
    """What a scene's light gives the middle of the picture. Raises PhotoError where no panel shines on it."""
    directions, weights = [], []
    for panel in light.panels:
        position = np.array(panel.position)
        distance = float(np.linalg.norm(position))
        towards = position / distance
        emitted = -float(towards @ np.array(panel.direction))
        if emitted > 0.0 and towards[2] > 0.0 and panel.power > 0.0:
            directions.append((float(towards[0]), float(towards[1]), float(towards[2])))
            weights.append(panel.power * emitted * float(towards[2]) / (math.pi * distance**2))  # Lambert's panel
    if not weights:
        raise PhotoError("the recipe's light does not reach the middle of the picture; give a light direction instead")
    ambient = math.pi * light.ambient
    return PhotoLight(tuple(directions), tuple(weights), ambient / (ambient + sum(weights)), gloss)


def synthesize_dataset(
    photographs: Sequence[Path],
    recipe: Recipe,
    out: Path,
    count: int = 1,
    seed: int = 0,
    *,
    scale: float | None = None,
    lamp: Lamp | None = None,
    gloss: float = GLOSS,
    on_frame: Callable[[int], None] = lambda index: None,
) -> Dataset:
    """Write a dataset of `count` frames of every photograph, those of one photograph after each other.

    Frames that the folder already holds are kept. scale: metres per pixel. See `draw_on` for scale and lamp.
    Raises PhotoError and DatasetError.
    """
    sources = [(photo.name, photo.sha256) for photo in map(read_photograph, photographs)]  # before anything is written
    settings: dict[str, Any] = {
        "photos": [{"name": name, "sha256": sha256} for name, sha256 in sources],
        "frames_per_photo": count,
        "metres_per_pixel": scale,
        "lamp": None if lamp is None else [lamp.azimuth, lamp.elevation, lamp.ambient],
        "gloss": gloss,
    }
    writer = DatasetWriter(out, recipe, seed, count * len(sources), **settings)
    kept: Photograph | None = None
    for index in writer.missing():
        path, (name, sha256) = photographs[index // count], sources[index // count]
        if kept is None or (kept.name, kept.sha256) != (name, sha256):
            kept = read_photograph(path)
        scene = draw_on(kept, recipe, seed, index, scale, lamp)
        image, (classes, defects, impurities), instances = frame_of(kept, scene, gloss)
        writer.write(index, image, classes, defects, impurities, scene, instances)
        on_frame(index)
    writer.finish()
    return Dataset(out)


def _light_of(lamp: Lamp, sheet: Photo) -> Light:
    """A lamp as a panel so far away that its light is parallel; it and the ambient give the sheet 1 W/m²."""
    if not 0.0 < lamp.elevation <= math.pi / 2:
        raise PhotoError(
            f"light: found an elevation of {math.degrees(lamp.elevation):g} degrees; expected above 0 and at most 90"
        )
    distance = LAMP_DISTANCE * max(sheet.width, sheet.height)
    flat, rise = math.cos(lamp.elevation), math.sin(lamp.elevation)
    towards = (flat * math.cos(lamp.azimuth), flat * math.sin(lamp.azimuth), rise)
    panel = AreaPanel(
        position=(distance * towards[0], distance * towards[1], distance * towards[2]),
        direction=(-towards[0], -towards[1], -towards[2]),
        along=(-math.sin(lamp.azimuth), math.cos(lamp.azimuth), 0.0),
        width=sheet.width,
        length=sheet.width,
        power=(1.0 - lamp.ambient) * math.pi * distance**2 / rise,
    )
    return Light(panels=(panel,), ambient=lamp.ambient / math.pi)


def _decoded(path: Path, content: bytes) -> Pixels:
    from PIL import Image, ImageOps, UnidentifiedImageError

    if content[:8] == png.SIGNATURE and content[24:26] == bytes([16, png.RGB]):
        try:
            return png.read(path)
        except png.PngError as error:
            raise PhotoError(f"{path}: {error}; save it as a TIFF without compression, or with 8 bits") from None
    if content[:4] in TIFF_SIGNATURES and (deep := _deep_tiff(content)) is not None:
        return deep  # which Pillow silently reduces to 8 bits
    try:
        with Image.open(BytesIO(content)) as opened:
            if getattr(opened, "n_frames", 1) > 1:
                raise PhotoError(f"{path}: holds {opened.n_frames} pictures; save the one that is meant by itself")
            picture = ImageOps.exif_transpose(opened)
            picture.load()
    except Image.DecompressionBombError:
        raise PhotoError(f"{path}: is larger than {MOST_PIXELS >> 20} million pixels; crop it or scale it") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            said = "no picture format that is known"
        raise PhotoError(f"{path}: is no photograph that can be read ({said}); export it as PNG or JPEG") from None
    if picture.mode in ("P", "PA"):
        picture = picture.convert("RGBA" if "transparency" in picture.info or picture.mode == "PA" else "RGB")
    if picture.mode in ("RGBA", "LA"):
        if picture.getchannel("A").getextrema()[0] < 255:
            raise PhotoError(f"{path}: is transparent in places; expected a photograph: flatten it and save it again")
        picture = picture.convert(picture.mode[:-1])
    if picture.mode == "1":
        raise PhotoError(f"{path}: is black and white only, a mask perhaps; expected a photograph of 8 or 16 bits")
    if picture.mode in ("L", "RGB"):
        return np.array(picture)
    if picture.mode.startswith("I;16"):
        return np.array(picture).astype(np.uint16)
    if picture.mode == "I" and content[:8] == png.SIGNATURE:  # how older Pillow reads grey PNG of 16 bits
        return np.array(picture).astype(np.uint16)
    raise PhotoError(f"{path}: has the pixel format {picture.mode}; expected grey or RGB of 8 or 16 bits: convert it")


def _deep_tiff(content: bytes) -> Pixels | None:
    """The pixels of a TIFF of 16-bit colour; None where it is something else."""
    import tifffile

    try:
        pixels = tifffile.imread(BytesIO(content))
    except Exception:  # of whatever kind a damaged file raises
        return None
    return pixels if pixels.dtype == np.uint16 and pixels.ndim == 3 and pixels.shape[2] == 3 else None
