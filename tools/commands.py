"""Blemish's commands, run by the tools that make what ships."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
ATTEMPTS = 3


def blemish(*words: object) -> None:
    """Run a command; what was stopped goes on where it was. Raises CalledProcessError."""
    command = [sys.executable, str(REPOSITORY / "blemish.py"), *map(str, words)]
    for attempt in range(ATTEMPTS):  # a renderer that died goes on from its last whole frame
        if not subprocess.run(command, check=attempt == ATTEMPTS - 1).returncode:
            return
