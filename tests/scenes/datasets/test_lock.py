"""One writer an output folder: who comes second is told who is there; who was killed is in nobody's way."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from procgen.errors import BlemishNote
from scenes.datasets.errors import DatasetError
from scenes.datasets.files import HOLDER, LOCK
from scenes.datasets.lock import locked

HOLD = """
import sys
from scenes.datasets.lock import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock of a folder until its standard input is closed, or it is killed."""
    command = [sys.executable, "-c", HOLD, str(folder), "--some option"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


def enter(folder: Path, said: "multiprocessing.SimpleQueue[str]") -> None:
    try:
        with locked(folder):
            said.put("entered")
    except DatasetError as error:
        said.put(str(error))


def test_the_second_is_told_who_holds_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with holder(out) as process, pytest.raises(DatasetError) as refused, locked(tmp_path / "x" / ".." / "out"):
        pass
    told = str(refused.value)
    assert f"process {process.pid} on {os.uname().nodename} (-c {out} '--some option') is writing there" in told
    assert "choose another folder" in told
    with locked(out):
        pass


def test_a_killed_holder_is_in_nobodys_way(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (tmp_path / LOCK).exists()
        (tmp_path / f".picture.png.{process.pid}.tmp").write_text("half")
        with locked(tmp_path):
            assert json.loads((tmp_path / HOLDER).read_text())["process"] == os.getpid()
            assert sorted(p.name for p in tmp_path.iterdir()) == [LOCK, HOLDER]
    assert not list(tmp_path.iterdir())


def test_the_same_thread_enters_again_and_another_does_not(tmp_path: Path) -> None:
    said: multiprocessing.SimpleQueue[str] = multiprocessing.SimpleQueue()
    with locked(tmp_path):
        with locked(str(tmp_path)):
            pass
        thread = threading.Thread(target=enter, args=[tmp_path, said])
        thread.start()
        thread.join()
        assert f"process {os.getpid()} on" in said.get()
    thread = threading.Thread(target=enter, args=[tmp_path, said])
    thread.start()
    thread.join()
    assert said.get() == "entered"


def test_a_folder_that_nothing_came_of_is_gone(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "new"):
        raise ZeroDivisionError
    assert not (tmp_path / "new").exists()
    with locked(tmp_path / "new"):
        (tmp_path / "new" / "file").write_text("")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["file"]


def test_what_a_writer_of_another_machine_left_is_told(tmp_path: Path) -> None:
    (tmp_path / HOLDER).write_text(json.dumps({"process": 7, "host": "elsewhere", "command": "blemish render plate"}))
    with (
        pytest.warns(BlemishNote, match=r"process 7 on elsewhere \(blemish render plate\) was killed"),
        locked(tmp_path),
    ):
        pass
    (tmp_path / HOLDER).write_text("{")
    with locked(tmp_path):
        pass
