"""The panel, registered in the Blender that runs the tests."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def _registered() -> Iterator[None]:
    pytest.importorskip("bpy")
    import blender_addon

    with contextlib.suppress(Exception):  # where another module's tests have left it registered
        blender_addon.unregister()
    blender_addon.register()
    yield
    with contextlib.suppress(Exception):
        blender_addon.unregister()


@pytest.fixture
def scene(_registered: None) -> Any:
    """An empty file's scene, with a small preview."""
    import bpy

    import blender_addon

    bpy.ops.wm.read_factory_settings(use_empty=True)
    if not hasattr(bpy.types.Scene, "blemish"):
        blender_addon.register()
    bpy.context.scene.blemish.preview.size = "256"
    return bpy.context.scene


@pytest.fixture
def settings(scene: Any) -> Any:
    """What the panel shows."""
    return scene.blemish


@pytest.fixture
def user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that Blender takes for the user's."""
    import bpy

    def user_resource(kind: str, *, path: str = "", create: bool = False) -> str:
        folder = tmp_path / path
        if create:
            folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    monkeypatch.setattr(bpy.utils, "user_resource", user_resource)
    return tmp_path
