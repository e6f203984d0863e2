"""Fuzz the readers: `python -m tests.fuzz.run [TARGET...] --inputs 100000`, and count what came of it.

Each target runs in a process of its own with each engine: plain and hypothesis, which spoil sound files value by value
and byte by byte, and atheris, where it is installed, which follows the readers' branches. Contents that failed are
kept in out/fuzz; the exit status is 1 where there are any.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import NoReturn

from tests.fuzz.tally import MEGABYTES, Tally, Wrong
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

PLAIN = "plain"
ENGINES = (PLAIN, "hypothesis", "atheris")
SECONDS_AN_INPUT = 0.5  # on the clock and the mean, after which a whole run counts as hung


def with_dice(target: Target, inputs: int, folder: Path) -> Tally:
    """A tally of so many spoilt contents, the same in every run."""
    from tests.fuzz.mutations import plainly

    sounds, tally = prepared(target, folder)
    dice = Random(0)
    for _ in range(inputs):
        with suppress(Wrong):
            tally.check(plainly(target, sounds, dice))
    return tally


def with_hypothesis(target: Target, inputs: int, folder: Path) -> Tally:
    """A tally of so many spoilt contents, the same in every run."""
    from hypothesis import HealthCheck, Phase, given, settings

    from tests.fuzz.mutations import spoilt

    sounds, tally = prepared(target, folder)

    @settings(
        max_examples=inputs, phases=[Phase.generate], derandomize=True, database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(spoilt(target, sounds))
    def spoil(content: bytes) -> None:
        with suppress(Wrong):  # counted; the search goes on
            tally.check(content)

    spoil()
    return tally


def with_atheris(target: Target, inputs: int, folder: Path, report: Callable[[Tally], int]) -> NoReturn:
    """Report a tally of so many contents that atheris made of the sound ones, and end the process, as atheris does."""
    import atheris

    with atheris.instrument_imports(include=list(target.instrumented), enable_loader_override=False):
        sounds, tally = prepared(target, folder)
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, sound in enumerate(sounds):
        (corpus / str(number)).write_bytes(sound)
    words = folder / "words"
    escaped = ("".join(map("\\x{:02x}".format, token[:60])) for token in target.tokens)
    words.write_text("".join(f'"{word}"\n' for word in escaped))

    def check(content: bytes) -> None:
        if content:
            with suppress(Wrong):
                tally.check(target.mend(content))
        if tally.inputs >= inputs:
            status = report(tally)
            shutil.rmtree(folder)
            sys.stdout.flush()
            os._exit(status)

    options = ["-seed=1", "-max_len=20000", f"-dict={words}", "-handle_alrm=0", "-rss_limit_mb=8000", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], check)
    atheris.Fuzz()
    raise SystemExit(f"{target.name}: atheris ended before its inputs did")


def prepared(target: Target, folder: Path) -> tuple[list[bytes], Tally]:
    """The sound contents, read once so that everything is imported, and an empty tally."""
    sounds = target.prepare(folder)
    tally = Tally(target, folder)
    for sound in sounds:
        with suppress(Wrong):  # slow, as the first of its kind may be
            tally.check(sound)
        if tally.values != tally.inputs:
            raise SystemExit(f"{target.name}: its sound contents are refused")
    return sounds, Tally(target, folder)


def fuzz(target: Target, engine: str, inputs: int, kept: Path) -> int:
    """Fuzz in this process, and report; the exit status."""

    def report(tally: Tally) -> int:
        """Print the counts and one example of each failure; 1 where there is one."""
        print(tally.line(engine), flush=True)
        if tally.grown > MEGABYTES:
            tally.examples["memory"] = (b"", f"{tally.grown:.0f} MB; at most {MEGABYTES:.0f} are expected")
        for number, (what, (content, told)) in enumerate(tally.examples.items()):
            path = kept / f"{target.name}-{engine}-{number}"
            kept.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            print(f"  {what}: {path}\n    " + "\n    ".join(told.strip().splitlines()[-4:]), flush=True)
        return int(bool(tally.examples))

    warnings.simplefilter("ignore")
    folder = Path(tempfile.mkdtemp())
    if engine == "atheris":
        with_atheris(target, inputs, folder, report)
    try:
        return report((with_dice if engine == PLAIN else with_hypothesis)(target, inputs, folder))
    finally:
        shutil.rmtree(folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"{', '.join(TARGETS)}; otherwise all")
    parser.add_argument("--inputs", type=int, default=100_000, help="for each target and engine")
    parser.add_argument("--engine", choices=ENGINES, action="append", help="otherwise each that is installed")
    parser.add_argument("--here", action="store_true", help="in this process: one target, one engine")
    parser.add_argument("--out", type=Path, default=Path("out/fuzz"), help="for contents that failed")
    chosen = parser.parse_args()
    if unknown := sorted(set(chosen.targets) - TARGETS.keys()):
        parser.error(f"no target {unknown[0]}; expected {', '.join(TARGETS)}")
    engines = chosen.engine or [engine for engine in ENGINES if engine == PLAIN or importlib.util.find_spec(engine)]
    if chosen.here:
        return fuzz(TARGETS[chosen.targets[0]], engines[0], chosen.inputs, chosen.out)
    failed = 0
    for name in chosen.targets or TARGETS:
        for engine in engines:
            command = [sys.executable, "-m", "tests.fuzz.run", name, "--here", "--engine", engine]
            command += ["--inputs", str(chosen.inputs), "--out", str(chosen.out)]
            try:
                done = subprocess.run(
                    command, check=False, stderr=subprocess.DEVNULL, timeout=120 + chosen.inputs * SECONDS_AN_INPUT
                ).returncode
            except subprocess.TimeoutExpired:
                done = 1
                print(f"{name:8} {engine:10} hung", flush=True)
            if done not in (0, 1):
                print(f"{name:8} {engine:10} ended with status {done}", flush=True)
            failed += done != 0
    print(f"{failed} of {len(chosen.targets or TARGETS) * len(engines)} runs failed")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
