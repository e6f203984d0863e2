"""Rendering a stage's passes and reading them back as arrays."""

from pathlib import Path
from tempfile import TemporaryDirectory

import bpy
import numpy as np
from numpy.typing import NDArray

from blender_addon.rendering.exr import read_exr
from blender_addon.rendering.material import LABELS, PLACE
from blender_addon.rendering.stage import Stage
from procgen.errors import BlemishError
from scenes.calibration.photographs import window
from scenes.scene import Camera


def render_picture(stage: Stage) -> NDArray[np.float32]:
    """Render the picture: (H, W, 3) linear scene radiance, row 0 at the top."""
    return render(stage.picture)[""]


def render_middle(stage: Stage, camera: Camera) -> NDArray[np.float32]:
    """Render what of the picture is measured for calibration; see `scenes.calibration.photographs.window`."""
    row, column, rows, columns = window(camera.height, camera.width)
    settings = stage.picture.render
    settings.use_border = settings.use_crop_to_border = True
    settings.border_min_x, settings.border_max_x = column / camera.width, (column + columns) / camera.width
    settings.border_min_y, settings.border_max_y = 1 - (row + rows) / camera.height, 1 - row / camera.height
    radiance = render_picture(stage)
    if radiance.shape[:2] != (rows, columns):
        raise BlemishError(f"Blender rendered {radiance.shape[:2]} pixels of a picture; expected {(rows, columns)}")
    return radiance


def render_labels(stage: Stage) -> tuple[NDArray[np.uint16], NDArray[np.float64]]:
    """Render the exact pass, row 0 at the top.

    Returns (H, W, 3) class bits, defect ids and impurity ids at pixel centres, and (H, W, 2) the texture coordinates
    that were seen there, -1 where it was not the inspected surface. Raises BlemishError where the labels are anything
    but whole numbers from 0 to 65535, which those of a working pass never are.
    """
    passes = render(stage.exact)
    values, place = (next(array for name, array in passes.items() if wanted in name) for wanted in (LABELS, PLACE))
    labels = values.astype(np.uint16)
    if not np.array_equal(labels, values):
        raise BlemishError("the label pass holds values that are not 16-bit whole numbers; Blender's filter blurred it")
    return labels, np.where(place[..., 2:] > 0, place[..., :2].astype(np.float64), -1.0)


def render(scene: bpy.types.Scene) -> dict[str, NDArray[np.float32]]:
    """Render one Blender scene through a temporary OpenEXR file; gives each pass as (H, W, 3) by its name there."""
    with TemporaryDirectory(prefix="blemish-") as folder:
        scene.render.filepath = str(Path(folder) / "pass.exr")
        bpy.ops.render.render(write_still=True, scene=scene.name)
        return read_exr(Path(folder) / "pass.exr")
