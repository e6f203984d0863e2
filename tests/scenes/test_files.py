"""Whatever is no file is refused at once, not waited for."""

import os
from pathlib import Path

import pytest

from scenes.files import content_of


def test_files_are_read_and_links_followed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    (tmp_path / "b").symlink_to("a")
    assert content_of(tmp_path / "b") == b"content"


def test_pipes_devices_folders_and_loops_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path / "pipe", tmp_path / "loop", tmp_path / "gone", tmp_path, Path("/dev/zero")):
        with pytest.raises(OSError, match=path.name):
            content_of(path)
