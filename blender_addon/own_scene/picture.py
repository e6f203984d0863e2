"""The picture that Blender itself develops, by the colour management of the user's file."""

from pathlib import Path
from tempfile import TemporaryDirectory

import bpy
import numpy as np
from numpy.typing import NDArray

from blender_addon.workers import compat
from scenes.pictures import png


def render_developed(scene: bpy.types.Scene, bits: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Render a scene: (H, W, 3), of 8 or 16 bits, row 0 at the top."""
    compat.write_png(scene.render.image_settings, bits)
    with TemporaryDirectory(prefix="blemish-") as folder:
        scene.render.filepath = str(Path(folder) / "picture.png")
        bpy.ops.render.render(write_still=True, scene=scene.name)
        return png.decode((Path(folder) / "picture.png").read_bytes())
