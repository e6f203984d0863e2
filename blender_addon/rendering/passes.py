"""Rendering Blender scenes and reading back what their pixels show, as arrays."""

from collections.abc import Collection, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from blender_addon.rendering.base_colour import BASE_COLOUR, expose_base_colour
from blender_addon.rendering.material import LABELS, PLACE
from blender_addon.workers import compat
from procgen.errors import BlemishError
from scenes.calibration.photographs import window
from scenes.datasets.passes import PassArray, PassName
from scenes.pictures.exr import ExrError, decode
from scenes.scene import Camera

Channels = Mapping[str, NDArray[np.floating[Any]]]  # (H, W), row 0 at the top, by their full names in the file
FARTHEST = 1e9  # metres; Cycles writes 1e10 where it meets nothing
REFLECTED = ("diffuse", "glossy", "transmission")  # passes of colour, which together are what a material reflects


def render(scene: bpy.types.Scene) -> Channels:
    """Render one Blender scene through a temporary OpenEXR file. Raises BlemishError where that is not whole."""
    with TemporaryDirectory(prefix="blemish-") as folder:
        path = Path(folder) / "pass.exr"
        scene.render.filepath = str(path)
        bpy.ops.render.render(write_still=True, scene=scene.name)
        try:
            return decode(path.read_bytes())
        except ExrError as error:
            raise BlemishError(f"{path}: {error}, though Blender wrote it; expected room for it on this disk") from None


def picture_in(channels: Channels) -> NDArray[np.float32]:
    """(H, W, 3) linear scene radiance of a rendered picture."""
    return np.stack([channels[colour] for colour in "RGB"], axis=-1).astype(np.float32, copy=False)


def render_middle(scene: bpy.types.Scene, camera: Camera) -> NDArray[np.float32]:
    """Render what of a picture is measured for calibration; see `scenes.calibration.photographs.window`."""
    row, column, rows, columns = window(camera.height, camera.width)
    settings = scene.render
    settings.use_border = settings.use_crop_to_border = True
    settings.border_min_x, settings.border_max_x = column / camera.width, (column + columns) / camera.width
    settings.border_min_y, settings.border_max_y = 1 - (row + rows) / camera.height, 1 - row / camera.height
    radiance = picture_in(render(scene))
    if radiance.shape[:2] != (rows, columns):
        raise BlemishError(f"Blender rendered {radiance.shape[:2]} pixels of a picture; expected {(rows, columns)}")
    return radiance


def labels_in(channels: Channels) -> tuple[NDArray[np.uint16], NDArray[np.float64]]:
    """What the stage's exact scene says at pixel centres.

    Returns (H, W, 3) class bits, defect ids and impurity ids, and (H, W, 2) the texture coordinates that were seen
    there, -1 where it was not the inspected surface. Raises BlemishError where the labels are anything but whole
    numbers from 0 to 65535, which those of a working pass never are.
    """
    values, place = pass_in(channels, LABELS, "RGB"), pass_in(channels, PLACE, "RGB")
    labels = values.astype(np.uint16)
    if not np.array_equal(labels, values):
        raise BlemishError("the label pass holds values that are not 16-bit whole numbers; Blender's filter blurred it")
    return labels, np.where(place[..., 2:] > 0, place[..., :2].astype(np.float64), -1.0)


def enable_passes(scene: bpy.types.Scene, names: Collection[PassName]) -> None:
    """Have a Blender scene of Cycles render passes that `passes_in` reads.

    At one sample a pixel with a narrow filter they are those of pixel centres. Objects are told apart by their
    `pass_index`, from 1 on. For albedo every material is made to write out its base colour: call this again where
    materials were added since.
    """
    layer = scene.view_layers[0]
    layer.use_pass_z |= "depth" in names
    layer.use_pass_normal |= "normal" in names
    layer.use_pass_object_index |= "objects" in names
    if "albedo" in names:
        for kind in REFLECTED:
            setattr(layer, f"use_pass_{kind}_color", True)
        if BASE_COLOUR not in layer.aovs:
            layer.aovs.add().name = BASE_COLOUR
        for material in bpy.data.materials:
            expose_base_colour(material)


def passes_in(channels: Channels, names: Collection[PassName], camera: bpy.types.Object) -> dict[PassName, PassArray]:
    """The passes of a rendered scene by their names, as `scenes.Frame` gives them, seen by the scene's camera."""
    return {name: _pass(channels, name, camera) for name in names}


def _pass(channels: Channels, name: PassName, camera: bpy.types.Object) -> PassArray:
    if name == "depth":
        depth = pass_in(channels, "Depth", "Z")[..., 0]
        return np.where(depth < FARTHEST, depth, np.inf).astype(np.float32)
    if name == "objects":
        return pass_in(channels, compat.pass_name("object_index"), "X")[..., 0].astype(np.uint16)
    if name == "normal":
        to_world = np.array(camera.matrix_world.to_3x3().normalized())  # columns: the camera's axes
        normal = pass_in(channels, "Normal", "XYZ").astype(np.float64) @ to_world
        length = np.linalg.norm(normal, axis=-1, keepdims=True)
        return np.where(length > 0, normal / np.where(length > 0, length, 1), 0).astype(np.float32)
    # One is added to what a material writes out, so that 0 is where none did.
    written = pass_in(channels, BASE_COLOUR, "RGB")
    reflected = sum(pass_in(channels, compat.pass_name(f"{kind}_color"), "RGB") for kind in REFLECTED)
    return np.where(written > 0, written - 1, reflected).astype(np.float32)


def pass_in(channels: Channels, name: str, letters: str) -> NDArray[np.float32]:
    """(H, W, letters) of the pass of that name, of whichever view layer."""
    found = {key.rpartition(".")[2]: values for key, values in channels.items() if key.split(".")[-2:-1] == [name]}
    return np.stack([found[letter] for letter in letters], axis=-1).astype(np.float32, copy=False)
