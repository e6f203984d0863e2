"""The picture of the user's scene: as its colour management shows it, or as light that a sensor develops."""

from pathlib import Path
from tempfile import TemporaryDirectory

import bpy
import numpy as np
from numpy.typing import NDArray

from blender_addon.rendering.passes import Channels, render
from blender_addon.workers import compat
from scenes.pictures import png

Picture = NDArray[np.uint8] | NDArray[np.uint16]


def render_developed(scene: bpy.types.Scene, bits: int) -> Picture:
    """Render a scene: (H, W, 3), of 8 or 16 bits, row 0 at the top."""
    compat.write_png(scene.render.image_settings, bits)
    with TemporaryDirectory(prefix="blemish-") as folder:
        scene.render.filepath = str(Path(folder) / "picture.png")
        bpy.ops.render.render(write_still=True, scene=scene.name)
        return png.decode((Path(folder) / "picture.png").read_bytes())


def render_linear(scene: bpy.types.Scene) -> Channels:
    """Render a scene's light, which no colour management has changed."""
    compat.write_float_exr(scene.render.image_settings, layers=False)
    return render(scene)
