"""Signals that end programs end a command as Ctrl-C does, at whatever it is, and nothing of it is left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.command.inputs import TINY
from tests.command.told import REPOSITORY


def stopped(command: list[str], signals: list[signal.Signals], after: float, folder: Path) -> tuple[int, str]:
    """Exit code and standard error of a command that is sent signals; what it writes for itself goes to `folder`."""
    folder.mkdir()
    environment = os.environ | {"TMPDIR": str(folder), "PYTHONPATH": str(REPOSITORY)}
    program = "import blemish, sys; print('begun', flush=True); blemish.main()"
    with subprocess.Popen(
        [sys.executable, "-c", program, *command],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(after)
        for number in signals:
            process.send_signal(number)
        return process.wait(), process.communicate()[1]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
@pytest.mark.parametrize("after", [0.05, 0.6, 1.2])
def test_while_modules_are_imported(at: Path, tmp_path: Path, name: str, after: float) -> None:
    command = ["train", str(at / "mvtec"), *TINY, "--size", "15", "--out", str(at / "new")]
    code, said = stopped(command, [signal.Signals[name]], after, tmp_path / "temporary")
    assert code == 130, said
    assert said.startswith("stopped; ")
    assert len(said.splitlines()) == 1
    assert not list((tmp_path / "temporary").iterdir())
    assert not list((at / "new").glob(".*"))


SLOW = """
import time
time.sleep(1.2)
whole = True
"""
PROGRAM = """
import blemish, signal, sys, threading, time
sys.path.insert(0, sys.argv[1])
blemish.heed_stops()
asked = threading.main_thread().ident, getattr(signal, sys.argv[2])
timers = [threading.Timer(after, signal.pthread_kill, asked) for after in (0.3, 0.4)]
for timer in timers:
    timer.start()
try:
    begun = time.monotonic()
    import slow
    time.sleep(20)
except KeyboardInterrupt:
    print(getattr(sys.modules.get("slow"), "whole", False), time.monotonic() - begun < 10)
time.sleep(0.5)  # the second signal belonged to the same stop
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_an_import_is_ended_before_a_stop(tmp_path: Path, name: str) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), name]
    told = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (told.stdout, told.returncode) == ("True True\n", 0), told.stderr


SWALLOWED = """
import blemish, os, signal, sys, time
blemish.heed_stops()
class Swallows:
    def __del__(self):
        print("swallowed", flush=True)
        os.kill(os.getpid(), getattr(signal, sys.argv[1]))
        time.sleep(0.3)
        print("whole")
try:
    begun = time.monotonic()
    Swallows()
    time.sleep(20)
except KeyboardInterrupt:
    print(time.monotonic() - begun < 10)
time.sleep(0.5)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_stop_that_cannot_be_raised_comes_again(name: str) -> None:
    command = [sys.executable, "-c", SWALLOWED, name]
    told = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (told.stdout, told.stderr, told.returncode) == ("swallowed\nTrue\n", "", 0)


def test_of_two_signals_at_once_the_second_disturbs_nothing(at: Path, tmp_path: Path) -> None:
    command = ["evaluate", str(at / "bank"), str(at / "mvtec"), "--out", str(at / "new")]
    code, said = stopped(command, [signal.SIGHUP, signal.SIGTERM], 0.5, tmp_path / "temporary")
    assert (code, len(said.splitlines())) == (130, 1), said
    assert not (at / "new").exists()


@pytest.mark.render
@pytest.mark.parametrize("after", [1.0, 6.0])
def test_while_blender_renders(at: Path, tmp_path: Path, after: float) -> None:
    command = ["render", str(at / "recipe.yaml"), "--frames", "1000", "--samples", "1", "--out", str(at / "new")]
    code, said = stopped(command, [signal.SIGTERM], after, tmp_path / "temporary")
    assert (code, len(said.splitlines())) == (130, 1), said
    assert "topped" in said
    assert not list((tmp_path / "temporary").iterdir())
    assert not list((at / "new").glob(".*"))
