"""The environment outside Blender: how it is found, what is said of it, and commands that run in it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from blender_addon.ui.learn.command_run import CommandRun, as_child_process, external_environment
from blender_addon.ui.learn.environment import (
    NOT_FOUND,
    EnvironmentProbe,
    environment_from,
    probe,
    python_of,
    python_of_command,
)
from blender_addon.ui.runs import Phase

REPOSITORY = Path(__file__).resolve().parents[4]

# A Blemish that does what its arguments say.
FAKE = """\
import json, sys, time
COMMANDS = {"train": 0, "evaluate": 0}
def tell(what, done, total):
    print("blemish-progress " + json.dumps([what, done, total]), file=sys.stderr, flush=True)
def main():
    what = sys.argv[1]
    if what == "fail":
        print("loading", flush=True)
        print("blemish: out/bank: found nothing; expected an inspector", file=sys.stderr)
        sys.exit(2)
    for k in range(4):
        tell("epoch 1 of 1", k, 4)
        if what == "hang" and k == 2:
            time.sleep(600)
    print("2048 patches kept")
"""


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment's folder with that Blemish in it and no torch."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "blemish.py").write_text(FAKE)
    python = tmp_path / "environment" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path / "site"} exec {sys.base_prefix}/bin/python3.11 "$@"\n')
    python.chmod(0o755)
    return tmp_path / "environment"


def test_this_environment_is_ready() -> None:
    found = probe(sys.prefix)
    assert found.ready, found
    assert {"train", "evaluate", "render"} <= found.commands
    assert found.torch in found.line


def test_an_environment_without_torch_is_told_with_the_fix(environment: Path) -> None:
    found = probe(str(environment))
    assert not found.ready
    assert found.problem == "torch is not installed in this environment"
    assert found.fix == f"In a terminal: {environment}/bin/python -m pip install '{REPOSITORY}[anomaly]'"


def test_an_environment_without_blemish_is_told_with_the_fix(environment: Path) -> None:
    (environment.parent / "site" / "blemish.py").unlink()
    found = probe(str(environment))
    assert found.problem == "Blemish is not installed in this environment"
    assert f"pip install '{REPOSITORY}[anomaly]'" in found.fix


def test_what_is_no_environment_is_told(tmp_path: Path) -> None:
    assert "No Python was found in" in probe(str(tmp_path / "nothing")).problem
    broken = tmp_path / "python"
    broken.write_text("no program")
    assert "does not run" in probe(str(broken)).problem


def test_the_command_on_the_path_is_found(environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "programs" / "blemish"
    script.parent.mkdir()
    script.write_text(f"#!{environment / 'bin' / 'python'}\nimport blemish\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(script.parent))
    assert python_of_command() == environment / "bin" / "python"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert python_of_command() is None
    assert probe("") == NOT_FOUND
    assert "Install Learning Part" in NOT_FOUND.fix


def test_folder_program_and_python_name_the_same_environment(environment: Path) -> None:
    python = environment / "bin" / "python"
    assert python_of(environment) == python_of(python) == python_of(environment / "bin") == python


def test_a_newer_or_broken_answer_is_no_environment() -> None:
    assert not environment_from(Path("python"), {"commands": None}).ready
    assert environment_from(Path("python"), {"commands": ["train"], "blemish": "9", "torch": "9"}).ready


def test_looking_does_not_wait() -> None:
    background = EnvironmentProbe()
    assert background.find("/nowhere") is None
    deadline = time.monotonic() + 60
    while background.is_running() and time.monotonic() < deadline:
        time.sleep(0.01)
    found = background.find("/nowhere")
    assert found is not None
    assert "/nowhere" in found.problem


def test_nothing_of_blenders_python_reaches_the_environment() -> None:
    cleaned = external_environment({"PATH": "/bin", "PYTHONPATH": "/blender", "PYTHONHOME": "/blender"})
    assert not {"PYTHONPATH", "PYTHONHOME"} & cleaned.keys()
    assert cleaned["PATH"] == "/bin"


def started(environment: Path, *arguments: str) -> CommandRun:
    run = CommandRun("Train", environment, as_child_process(environment / "bin" / "python", *arguments))
    run.start()
    return run


def test_commands_that_have_to_be_through_first_run_before(environment: Path) -> None:
    python = environment / "bin" / "python"
    made = environment / "made"
    before = {"making it": [str(python), "-c", f"open({str(made)!r}, 'w').write('first')"]}
    then = [str(python), "-c", f"print(open({str(made)!r}).read())"]
    run = CommandRun("Install", environment, then, before=before)
    run.start()
    assert (run.wait(60).phase, run.state.message) == (Phase.DONE, "first")
    broken = {"making it": [str(python), "-c", "print('ERROR: no room'); raise SystemExit(1)"]}
    made.unlink()
    run = CommandRun("Install", environment, then, before=broken)
    run.start()
    assert (run.wait(60).phase, run.state.message) == (Phase.FAILED, "no room")


def test_progress_and_last_words_of_a_command(environment: Path) -> None:
    run = started(environment, "train")
    state = run.wait(60)
    assert state.phase is Phase.DONE
    assert state.message == "2048 patches kept"
    assert (state.done, state.total) == (3, 4)


def test_a_failing_command_is_told_in_its_own_sentence(environment: Path) -> None:
    state = started(environment, "fail").wait(60)
    assert state.phase is Phase.FAILED
    assert state.message == "out/bank: found nothing; expected an inspector"


def test_a_command_is_cancelled_in_the_middle(environment: Path) -> None:
    run = started(environment, "hang")
    deadline = time.monotonic() + 60
    while run.state.done < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert run.state.message == "epoch 1 of 1"
    run.cancel()
    assert run.wait(60).phase is Phase.CANCELLED


def test_a_command_that_is_not_there_is_told(tmp_path: Path) -> None:
    run = CommandRun("Train", tmp_path, [str(tmp_path / "python"), "-c", ""])
    run.start()
    state = run.wait(60)
    assert state.phase is Phase.FAILED
    assert str(tmp_path / "python") in state.message


def test_a_command_ends_with_the_process_that_started_it(environment: Path, tmp_path: Path) -> None:
    command = as_child_process(environment / "bin" / "python", "hang")
    script = f"""
import subprocess, sys, time
child = subprocess.Popen({json.dumps(command)}, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
print(child.pid, flush=True)
time.sleep(600)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=os.environ)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    psutil.wait_procs([child], timeout=60)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
