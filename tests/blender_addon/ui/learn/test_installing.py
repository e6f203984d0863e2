"""The part that learns is installed from a repository or a wheel, never by a name that no registry has."""

import base64
import hashlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import bpy
import pytest

import blender_addon
from blender_addon.ui import progress
from blender_addon.ui.learn import installing
from blender_addon.ui.learn.environment import checkout
from blender_addon.ui.preferences import environment
from blender_addon.ui.progress import LEARN

REPOSITORY = Path(__file__).resolve().parents[4]
PATIENCE = 120  # seconds
METADATA = "Metadata-Version: 2.1\nName: blemish\nVersion: 9.9\nProvides-Extra: anomaly\n"


@pytest.fixture
def preferences() -> Iterator[Any]:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.preferences.addons.new().module = "blemish_under_test"
    blender_addon.register("blemish_under_test")
    yield bpy.context.preferences.addons["blemish_under_test"].preferences
    progress.forget(LEARN)
    blender_addon.unregister()
    bpy.context.preferences.addons.remove(bpy.context.preferences.addons["blemish_under_test"])


def wheel(folder: Path) -> Path:
    """A wheel of the name of Blemish's, with commands and a torch in it and without dependencies."""
    path = folder / "blemish-9.9-py3-none-any.whl"
    files = {
        "blemish.py": "COMMANDS = {'train': 0, 'evaluate': 0, 'inspect': 0, 'refine': 0}\n",
        "torch.py": "",
        "blemish-9.9.dist-info/METADATA": METADATA,
        "blemish-9.9.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with ZipFile(path, "w") as packed:
        record = ""
        for name, text in files.items():
            packed.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{name},sha256={digest},{len(text)}\n"
        packed.writestr("blemish-9.9.dist-info/RECORD", record + "blemish-9.9.dist-info/RECORD,,\n")
    return path


def test_sources_are_the_repository_or_a_wheel(tmp_path: Path) -> None:
    assert installing.source_of("") == checkout() == REPOSITORY
    assert installing.source_of(str(REPOSITORY)) == REPOSITORY
    assert installing.source_of(str(wheel(tmp_path))) == wheel(tmp_path)
    for other in (tmp_path, tmp_path / "nothing", tmp_path / "other-1.0-py3-none-any.whl"):
        assert installing.source_of(str(other)) is None
    _, install = installing.commands(REPOSITORY, tmp_path)
    assert install[-1] == f"{REPOSITORY}[anomaly]"


def test_it_is_installed_from_a_wheel_and_used_from_then_on(
    preferences: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    bpy.context.preferences.system.use_online_access = True
    preferences.source, preferences.folder = str(wheel(tmp_path)), str(tmp_path / "out")
    assert bpy.ops.blemish.install_learning() == {"FINISHED"}
    assert Path(preferences.python) == tmp_path / "out" / "environment"
    deadline = time.monotonic() + PATIENCE
    while environment(bpy.context) is None and time.monotonic() < deadline:
        time.sleep(0.02)
    found = environment(bpy.context)
    assert found is not None
    assert found.ready, found
    assert found.blemish == "9.9"


def test_what_keeps_it_from_being_installed_is_told(preferences: Any, tmp_path: Path) -> None:
    preferences.source = str(tmp_path)
    assert "as Source in the preferences" in installing.BLEMISH_OT_install_learning.obstacle(bpy.context)
    preferences.source = str(REPOSITORY)
    if hasattr(bpy.app, "online_access"):
        bpy.context.preferences.system.use_online_access = False
        assert "Online Access" in installing.BLEMISH_OT_install_learning.obstacle(bpy.context)
        bpy.context.preferences.system.use_online_access = True
    assert installing.BLEMISH_OT_install_learning.obstacle(bpy.context) == ""


def test_pips_own_words_tell_of_a_failure(preferences: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "blemish-9.9-py3-none-any.whl"
    broken.write_bytes(b"no wheel")
    bpy.context.preferences.system.use_online_access = True
    preferences.source, preferences.folder = str(broken), str(tmp_path / "out")
    monkeypatch.setattr(installing, "commands", lambda source, folder: ({}, pip(f"{source}[anomaly]")))
    with pytest.raises(RuntimeError, match="invalid"):
        bpy.ops.blemish.install_learning()
    assert preferences.python == ""


def pip(what: str) -> list[str]:
    return [sys.executable, "-m", "pip", "install", "--no-index", "--dry-run", what]
