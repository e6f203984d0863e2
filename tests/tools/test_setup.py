"""tools/setup keeps its hands off the environment of another checkout."""

import shutil
import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).resolve().parents[2] / "tools" / "setup"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    (folder / "tools").mkdir(parents=True)
    shutil.copy(SETUP, folder / "tools")
    return folder


def set_up(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([checkout / "tools" / "setup", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [(), ("--check",)])
def test_a_link_to_the_environment_of_another_checkout_is_refused(
    arguments: tuple[str, ...], checkout: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other" / ".venv"
    (other / "bin").mkdir(parents=True)
    python = other / "bin" / "python"
    python.write_text(f"#!/bin/sh\necho called >> {tmp_path}/calls\n")
    python.chmod(0o755)
    (checkout / ".venv").symlink_to(other)
    done = set_up(checkout, *arguments)
    assert done.returncode == 1
    assert str(other) in done.stderr
    assert "Remove the link" in done.stderr
    assert not (tmp_path / "calls").exists()
    assert [path.name for path in other.rglob("*")] == ["bin", "python"]


def test_an_environment_of_its_own_is_none_of_that(checkout: Path, tmp_path: Path) -> None:
    assert set_up(checkout, "--check").returncode == 0
    (checkout / ".venv").mkdir()
    assert set_up(checkout, "--check").returncode == 0
    (tmp_path / "link").symlink_to(checkout)
    assert set_up(tmp_path / "link", "--check").returncode == 0
