"""Objects of a mistaken unit: what is said of them, and the button that is offered."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from blender_addon.ui.recipe import sizes

bpy = pytest.importorskip("bpy")
from blender_addon.ui.preview import viewport  # noqa: E402 - needs bpy

pytestmark = pytest.mark.render

LONG = 44.0  # of the block in the file, in its unit


@pytest.mark.parametrize(
    ("extent", "scale"), [(44, 1e-3), (2, 1e-3), (0.5, None), (1e-3, None), (44e-6, 1e3), (5000, None), (1e-9, None)]
)
def test_the_likely_scale_makes_the_size_usual(extent: float, scale: float | None) -> None:
    assert sizes.likely_scale(extent) == scale


def test_lengths_are_said_as_people_say_them() -> None:
    assert [sizes.length_text(metres) for metres in (44, 1.5, 0.044, 1e-4)] == ["44 m", "1.5 m", "44 mm", "0.1 mm"]


@pytest.fixture
def block(scene: Any, tmp_path: Path) -> Any:
    """A block of 44 × 30 × 10 mm from an STL in millimetres, as Blender reads it: 44 m long."""
    path = tmp_path / "block.stl"
    trimesh.creation.box((LONG, 30, 10)).export(path)
    if hasattr(bpy.ops.wm, "stl_import"):
        bpy.ops.wm.stl_import(filepath=str(path))
    else:
        import addon_utils

        addon_utils.enable("io_mesh_stl")
        bpy.ops.import_mesh.stl(filepath=str(path))
    thing = bpy.context.active_object
    bpy.context.view_layer.update()
    assert max(thing.dimensions) == pytest.approx(LONG)
    return thing


def test_a_file_in_millimetres_is_refused_with_the_scale_and_taken_at_it(block: Any, scene: Any) -> None:
    kind = scene.blemish.part.kind
    with pytest.raises(
        RuntimeError, match=r"block is 44 m across.*millimetres.*Inspect at 1/1000 makes it 44 mm"
    ) as told:
        bpy.ops.blemish.part_from_active()
    assert "unit_mm" not in str(told.value)
    assert scene.blemish.part.kind == kind
    assert bpy.ops.blemish.part_from_active(scale=1e-3) == {"FINISHED"}
    part = scene.blemish.preview.object
    bpy.context.view_layer.update()
    assert part.dimensions.x == pytest.approx(LONG * 1e-3, rel=1e-5)
    assert viewport.sample_scene(scene.blemish).part.framed_width == pytest.approx(LONG * 1e-3, rel=1e-6)
    np.testing.assert_allclose(block.dimensions.x, LONG)  # the user's own stays as it is
    bpy.ops.blemish.part_update()
    assert viewport.sample_scene(scene.blemish).part.framed_width == pytest.approx(LONG * 1e-3, rel=1e-6)


def test_a_doubtful_size_is_taken_and_asked_about(scene: Any, capfd: pytest.CaptureFixture[str]) -> None:
    bpy.ops.mesh.primitive_cube_add(size=2)
    assert bpy.ops.blemish.part_from_active() == {"FINISHED"}
    assert "Cube is 2 m across. Was its file in millimetres" in capfd.readouterr().out
    bpy.ops.mesh.primitive_cube_add(size=0.05, location=(5, 0, 0))
    bpy.ops.blemish.part_from_active()
    assert "across" not in capfd.readouterr().out
