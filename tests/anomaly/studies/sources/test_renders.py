"""The command that renders for a study: it ends with the study, whatever ends that."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from anomaly.studies.sources.renders import RenderedSet, RenderingError, render
from scenes import load_recipe

REPOSITORY = Path(__file__).resolve().parents[4]
COMMAND = """
import os, sys, time
def main():
    print(os.getpid(), *sys.argv, file=open("said", "w"), flush=True)
    os.rename("said", "told")
    time.sleep(600)
"""
STUDY = """
from pathlib import Path
from anomaly.studies.sources.renders import RenderedSet, render
from scenes import load_recipe
render(RenderedSet("endless", load_recipe("plate"), 9, 0, 1), Path("set"), lambda done, total: print(done, flush=True))
"""
KILLED = """
import os
from pathlib import Path
from scenes.datasets.files import write_atomically
Path.replace = lambda *_: os.kill(os.getpid(), 9)
write_atomically(Path(os.environ["RECIPE"]), b"half")
"""


def test_nothing_goes_on_rendering_when_the_study_is_killed(tmp_path):
    (tmp_path / "blemish.py").write_text(COMMAND)
    path = os.pathsep.join([str(tmp_path), str(REPOSITORY)])
    study = subprocess.Popen(
        [sys.executable, "-c", STUDY],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in study.stdout:
        assert line == "0\n"  # it lives on while nothing is rendered yet
        if (tmp_path / "told").exists():
            break
    number, *said = (tmp_path / "told").read_text().split()
    assert said[:3] == ["blemish", "render", "set.yaml"]
    child = psutil.Process(int(number))
    study.kill()
    study.communicate()
    psutil.wait_procs([child], timeout=120)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_the_half_written_recipe_of_a_killed_study_is_taken_away(tmp_path, monkeypatch):
    """It stands beside the set, in the cache that studies share, where no dataset's writer looks."""
    (tmp_path / "blemish.py").write_text("def main():\n    raise SystemExit('nothing is rendered')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(REPOSITORY)]))
    monkeypatch.chdir(tmp_path)

    recipe = tmp_path / "renders/set.yaml"
    recipe.parent.mkdir()
    told = {"env": os.environ | {"RECIPE": str(recipe)}, "cwd": REPOSITORY}
    assert subprocess.run([sys.executable, "-c", KILLED], **told).returncode == -signal.SIGKILL
    assert [path.suffix for path in recipe.parent.iterdir()] == [".tmp"]
    with pytest.raises(RenderingError, match="nothing is rendered"):
        render(RenderedSet("plates", load_recipe("plate"), 1, 0, 1), recipe.with_suffix(""), lambda done, total: None)
    assert [path.name for path in recipe.parent.iterdir()] == ["set.yaml"]
