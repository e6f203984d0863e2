"""A process beside the caller, whatever program it runs."""

import sys
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from blender_addon.workers.blenders import Blender
from blender_addon.workers.control import Control
from blender_addon.workers.job import Job
from blender_addon.workers.process import BlenderProcess
from scenes import load_recipe


class Sleeping:
    """A program that says nothing."""

    def command(self) -> list[str]:
        return [sys.executable, "-c", "import time; time.sleep(60)"]

    def environment(self, _extensions: str) -> None:
        """That of the caller."""


@pytest.mark.parametrize("trial", range(5))
def test_threads_may_end_it_at_the_same_time(trial: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    raised: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", raised.append)
    job = Job(load_recipe("plate").model_dump_json(), 0, 1)
    process = BlenderProcess(cast(Blender, Sleeping()), job, None, Control())
    process._errors.write("said\n" * 2000)  # which is still to be flushed
    together = threading.Barrier(8)

    def stop() -> None:
        together.wait()
        process.stop()

    threads = [threading.Thread(target=stop) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not raised
    assert process.process.returncode is not None
    assert not list(tmp_path.iterdir())
