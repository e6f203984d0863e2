"""Blender processes: started, given their jobs, followed and ended.

Blender keeps one scene a process, talks on standard output and can die of a driver; so it always runs beside the
caller, never inside.
"""

import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from tempfile import TemporaryDirectory, TemporaryFile

from blender_addon.errors import RenderError
from blender_addon.workers.blenders import Blender
from blender_addon.workers.control import Control
from blender_addon.workers.job import ERROR_MARK, FRAME_MARK, READY_MARK, Job

STDERR_LINES_SHOWN = 6


def ask(program: Blender, request: str, mark: str) -> tuple[list[str], str]:
    """What follows `mark` on the lines that a Blender answers a request with, and its error for the user, or ""."""
    with TemporaryDirectory(prefix="blemish-", ignore_cleanup_errors=True) as extensions:
        finished = subprocess.run(
            program.command(),
            env=program.environment(extensions),
            input=request + "\n",
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
            check=False,
        )
    lines = finished.stdout.splitlines()
    answers, errors = (
        [line.removeprefix(word) for line in lines if line.startswith(word)] for word in (mark, ERROR_MARK)
    )
    return answers, errors[-1].strip() if errors else ""


@dataclass
class BlenderProcess:
    """One Blender at work on one job; `follow` blocks until it is done."""

    program: Blender
    job: Job

    def __post_init__(self) -> None:
        self.errors = TemporaryFile(mode="w+", errors="replace")  # noqa: SIM115 - closed by `stop`
        self.extensions = TemporaryDirectory(prefix="blemish-", ignore_cleanup_errors=True)
        self.process = subprocess.Popen(
            self.program.command(),
            env=self.program.environment(self.extensions.name),
            stdin=subprocess.PIPE,  # held open: the process ends when this one does
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            errors="replace",
        )

    def tell(self, word: str) -> None:
        """Send PAUSE or RESUME; a process that is gone has nothing to heed."""
        assert self.process.stdin is not None
        with suppress(OSError, ValueError):
            self.process.stdin.write(word + "\n")
            self.process.stdin.flush()

    def follow(self, on_frame: Callable[[int], None], control: Control) -> None:
        """Hand over the job, report frames as they come; raises RenderError where the process fails."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):  # it died at once; its exit code and last words tell more
            self.process.stdin.write(self.job.to_json() + "\n")
            self.process.stdin.flush()
        control.attach(self)
        message = ""
        for line in self.process.stdout:
            if line.startswith(FRAME_MARK):
                on_frame(int(line.removeprefix(FRAME_MARK)))
            elif line.startswith(READY_MARK):
                control.on_ready()
            elif line.startswith(ERROR_MARK):
                message = line.removeprefix(ERROR_MARK).strip()
        if self.process.wait():
            raise RenderError(message or self._last_words())

    def _last_words(self) -> str:
        self.errors.seek(0)
        tail = " | ".join(line.strip() for line in self.errors.readlines()[-STDERR_LINES_SHOWN:] if line.strip())
        code = self.process.returncode
        cause, fewer = (f"killed by signal {-code}" if code < 0 else f"stopped with exit code {code}"), ""
        if code == -signal.SIGKILL:
            cause += ", as the system does when memory runs out"
            fewer = ", with fewer --workers if this happens again"
        said = f" It said: {tail}" if tail else ""
        return f"Blender was {cause}; run the same command again to go on from the last whole frame{fewer}.{said}"

    def kill(self) -> None:
        self.process.kill()

    def stop(self) -> None:
        """End the process at once; the frame it was at is not written."""
        self.kill()
        self.process.wait()
        with suppress(OSError):  # what it was told last and did not read
            self.process.stdin.close()  # type: ignore[union-attr]
        self.errors.close()
        self.extensions.cleanup()


def run_all(program: Blender, jobs: list[Job], on_frame: Callable[[int], None], control: Control) -> None:
    """Run every job in a Blender of its own, side by side; the first failure, Ctrl-C or a cancel stops them all."""
    if not jobs:
        return
    blenders = [BlenderProcess(program, job) for job in jobs]
    with ThreadPoolExecutor(len(blenders)) as threads:
        try:
            followed = [threads.submit(blender.follow, on_frame, control) for blender in blenders]
            wait(followed, return_when=FIRST_EXCEPTION)
        finally:
            for blender in blenders:
                blender.stop()
        control.raise_if_cancelled()
        for future in followed:
            future.result()
