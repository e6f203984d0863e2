"""Running `blemish` as a user does and holding it to one clear line when it refuses."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import blemish

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Told:
    """How a command ended."""

    code: int
    out: str
    err: str

    def refusal(self) -> str:
        """The one line that a refused command prints, without its prefix."""
        assert self.code == blemish.USER_ERROR, self
        lines = self.err.splitlines()
        assert len(lines) == 1, self
        assert lines[0].startswith("blemish: "), self
        assert "Traceback" not in lines[0]
        return lines[0].removeprefix("blemish: ")


Run = Callable[..., Told]  # the fixture `run`: a command's arguments -> how it ended
Refused = Callable[..., str]  # the fixture `refused`: a command's arguments -> the line that refuses them


def contents(folder: Path) -> dict[str, bytes | str | None]:
    """All that lies below a folder: bytes of files, targets of links, None for folders."""
    return {
        str(path.relative_to(folder)): (
            str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        )
        for path in sorted(folder.rglob("*"))
    }


def runner(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A function that runs `blemish` with arguments in this process."""

    def run(*arguments: object) -> Told:
        monkeypatch.setattr(sys, "argv", ["blemish", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            blemish.main()
        assert isinstance(end.value.code, int)
        return Told(end.value.code, *capsys.readouterr())

    return run
