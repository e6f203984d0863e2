"""The command itself: what it loads, what it says of a Blender that dies, and of libraries that are not there."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

import blemish
from tests.command.inputs import written
from tests.command.told import REPOSITORY, Run, contents

HEAVY = ("numpy", "torch", "bpy", "pydantic", "scipy", "skimage", "yaml", "PIL", "anomalib", "timm")


def loaded_by(code: str) -> set[str]:
    """Names of all modules that a fresh interpreter holds after running `code`."""
    code = (
        f"import contextlib, io, sys\nwith contextlib.redirect_stdout(io.StringIO()):\n    {code}\nprint(*sys.modules)"
    )
    process = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return set(process.stdout.split())


def test_overview_loads_no_command_and_no_heavy_library() -> None:
    loaded = loaded_by("import blemish; blemish.overview()(['--help'], standalone_mode=False)")
    assert loaded.isdisjoint({*HEAVY, "scenes", "anomaly", "blender_addon", "diffusion_refine"})
    assert len(loaded) < 500


def test_help_of_every_command_loads_neither_torch_nor_blender() -> None:
    show = "blemish.program(name)([name, '--help'], standalone_mode=False)"
    loaded = loaded_by(f"import blemish; [{show} for name in blemish.COMMANDS]")
    assert "anomaly.cli" in loaded
    assert loaded.isdisjoint({"torch", "timm", "anomalib", "bpy", "skimage", "scipy"})


def test_overview_and_commands_agree(run: Run) -> None:
    told = run("--help")
    assert told.code == 0
    for command, (_, line) in blemish.COMMANDS.items():
        assert f" {command} " in told.out
        assert " ".join(line.split()[:3]) in told.out
        helped = run(command, "--help")
        assert helped.code == 0
        assert f"Usage: blemish {command}" in helped.out


def test_no_command_shows_the_overview(run: Run) -> None:
    told = run()
    assert told.code == blemish.USER_ERROR
    assert "render" in told.out
    assert told.err == ""


def test_library_of_an_extra_that_is_not_installed(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "bpy" else find_spec(name))
    line = run("render", "plate", "--out", tmp_path / "new").refusal()
    assert (
        line == "bpy is not installed; rendering needs it, pip install 'blemish[render]', or a Blender: --blender PATH"
    )
    monkeypatch.setitem(sys.modules, "torch", None)
    line = run("train", tmp_path, "--out", tmp_path / "new").refusal()
    assert line == "torch is not installed; this command needs: pip install 'blemish[anomaly]'"
    assert not contents(tmp_path)


def test_a_module_of_our_own_that_is_missing_is_no_error_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(blemish.COMMANDS, "lost", ("scenes.lost", ""))
    monkeypatch.setattr(sys, "argv", ["blemish", "lost"])
    with pytest.raises(ModuleNotFoundError, match=r"scenes\.lost"):
        blemish.main()


@pytest.fixture
def small_recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(written()))
    return path


GO_ON = "run the same command again to go on from the last whole frame"


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (
            "kill -KILL $$",
            f"Blender was killed by signal 9, as the system does when memory runs out; {GO_ON}, with fewer --workers "
            "if this happens again.",
        ),
        (
            "echo driver crashed >&2; kill -SEGV $$",
            f"Blender was killed by signal 11; {GO_ON}. It said: driver crashed",
        ),
        ("echo one >&2; echo two >&2; exit 3", f"Blender was stopped with exit code 3; {GO_ON}. It said: one | two"),
        ("echo 'blemish-error out: the disk is full'; exit 2", "out: the disk is full"),
    ],
)
def test_blender_that_dies_at_once(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, small_recipe: Path, script: str, told: str
) -> None:
    """A stand-in for Blender, which reads nothing; so many frames that the job does not fit the pipe."""
    stand_in = tmp_path / "blender"
    stand_in.write_text(f"#!/bin/sh\n{script}\n")
    stand_in.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(stand_in))
    assert run("render", small_recipe, "--out", tmp_path / "set", "--frames", 50_000).refusal() == told


@pytest.mark.render
def test_a_blender_killed_in_the_middle_is_replaced(tmp_path: Path, small_recipe: Path) -> None:
    command = [sys.executable, "-m", "blemish", "render", str(small_recipe), "--samples", "1", "--frames", "6"]
    out = tmp_path / "set"
    rendering = subprocess.Popen([*command, "--out", str(out)], cwd=REPOSITORY)
    deadline = time.monotonic() + 120
    while not list(out.glob("scenes/*.json")):
        assert rendering.poll() is None
        assert time.monotonic() < deadline, "no frame was written"
        time.sleep(0.01)
    (blender,) = psutil.Process(rendering.pid).children()
    os.kill(blender.pid, signal.SIGKILL)
    assert rendering.wait(timeout=60) == 0
    subprocess.run([*command, "--out", str(tmp_path / "undisturbed")], cwd=REPOSITORY, check=True)
    assert contents(out) == contents(tmp_path / "undisturbed")
