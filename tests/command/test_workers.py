"""Commands on several workers, one of which is killed at random: the same bytes as one worker makes undisturbed."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import psutil
import pytest
import yaml

from tests.command.inputs import save, written
from tests.command.told import REPOSITORY, contents

RUNS = 20


def command(tmp_path: Path, name: str) -> list[str]:
    """A command that makes eight frames, without its workers and its folder."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(written()))
    if name == "render":
        return ["render", str(recipe), "--frames", "8", "--samples", "1"]
    photos = [tmp_path / "photos" / f"{number}.png" for number in range(8)]
    for number, photo in enumerate(photos):
        save(photo, np.random.default_rng(number).integers(100, 140, (48, 64, 3), dtype=np.uint8))
    return ["synthesize", *map(str, photos), "--recipe", str(recipe)]


def started(words: list[str], out: Path, workers: int) -> subprocess.Popen[bytes]:
    line = [sys.executable, "-m", "blemish", *words, "--out", str(out), "--workers", str(workers)]
    return subprocess.Popen(line, cwd=REPOSITORY, stdout=subprocess.DEVNULL)


def workers_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Blender processes, or Python's, but not the one that Python has beside them."""
    return [child for child in psutil.Process(process.pid).children() if "resource_tracker" not in str(child.cmdline())]


def until(reached: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while not reached() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param("render", marks=pytest.mark.render), "synthesize"])
def test_a_worker_killed_at_random_changes_no_byte(name: str, tmp_path: Path) -> None:
    words = command(tmp_path, name)
    begin = time.monotonic()
    assert started(words, tmp_path / "undisturbed", 1).wait(300) == 0
    took, expected, killed = time.monotonic() - begin, contents(tmp_path / "undisturbed"), 0
    for run in range(RUNS):
        rng, out = Random(run), tmp_path / str(run)
        process = started(words, out, 2)
        until(lambda process=process: len(workers_of(process)) == 2, process)
        time.sleep(rng.uniform(0, took))
        if process.poll() is None and (alive := workers_of(process)):
            rng.choice(alive).kill()
            killed += 1
        assert process.wait(300) == 0
        assert contents(out) == expected
    assert killed >= RUNS / 4, "most runs ended before anybody was killed"
