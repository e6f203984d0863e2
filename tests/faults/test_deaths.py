"""Whatever ends a writer, the same command ends as if nothing had been, and nothing half is taken for whole.

How much is done: `--kills`, `--calls` (0: all), `--flips`; `make test-faults` does more than `make test`.
"""

from __future__ import annotations

import resource
import shutil
import signal
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.faults.stages import Stage, begins_anew, calls, ended, forked, killed, left, run, span, stray

Contents = dict[str, bytes | str | None]
SLOW = (
    "train", "evaluate", "inspect", "synthesize", "refine", "export", "import", "meld", "bank", "train-generator",
    "study",
)  # fmt: skip
RENDERING = [pytest.param(f"render-{n}", marks=[pytest.mark.slow, pytest.mark.render]) for n in (1, 2)]
STAGES = ["frames", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW), *RENDERING]


def compare(stage: Stage, out: Path, whole: Contents, counts: Counter[str]) -> None:
    """Run the same command again and count what is not as it would have been.

    Where the first of its work is on the disk, it goes on from that.
    """
    counts["runs"] += 1
    begun, said = stage.has_begun(out), out.with_name("said")
    code = run(stage, out, said)
    if begun and stage.anew:
        counts["begun anew" if begins_anew(stage, said) else "gone on"] += 1
    found = left(out)
    counts["lost"] += code != 0 or bool(whole.keys() - found.keys())
    counts["different"] += code == 0 and found != whole
    counts["left over"] += bool(stray(out))
    shutil.rmtree(out, ignore_errors=True)


def judge(counts: Counter[str]) -> None:
    assert counts["runs"] > 0
    assert not {what: n for what, n in counts.items() if what not in ("runs", "killed", "gone on") and n}


@pytest.mark.parametrize("stage", STAGES)
def test_kills(
    stage: str, stages: dict[str, Stage], out: Path, whole: Contents, counts: Counter[str], pytestconfig: pytest.Config
) -> None:
    """As many as are asked for, each while it was at work."""
    longest = span(stages[stage], out)
    shutil.rmtree(out)
    rng = Random(f"kills of {stage}")
    wanted = pytestconfig.getoption("--kills")
    while counts["killed"] < wanted and counts["runs"] < 10 * wanted:
        counts["killed"] += killed(stages[stage], out, rng, longest)
        compare(stages[stage], out, whole, counts)
    judge(counts)
    assert counts["killed"] == wanted


@pytest.mark.parametrize("stage", STAGES)
def test_death_at_file_system_calls(
    stage: str,
    stages: dict[str, Stage],
    out: Path,
    whole: Contents,
    counts: Counter[str],
    tmp_path: Path,
    pytestconfig: pytest.Config,
) -> None:
    """Before one call is after the one before it: dying before each, and after all, is dying before and after each."""
    assert calls(stages[stage], out, None, tmp_path / "count") == 0
    shutil.rmtree(out)
    every = range(1, int((tmp_path / "count").read_text()) + 1)
    most = pytestconfig.getoption("--calls")
    chosen = every if not most else sorted(Random(stage).sample(every, min(most, len(every))))
    for number in chosen:
        died = calls(stages[stage], out, number, tmp_path / "none")
        counts["killed"] += died == -signal.SIGKILL
        compare(stages[stage], out, whole, counts)
    judge(counts)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["evaluate"])
def test_death_while_an_earlier_evaluation_is_replaced(
    stage: str, stages: dict[str, Stage], out: Path, counts: Counter[str], tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """The results that are there are the old ones or the new ones, each with its own pictures."""
    from anomaly.evaluation.results import read_results

    old = Stage(stage, (*stages[stage].arguments[:-1], "0.25"), "")
    assert run(old, out) == 0
    shutil.copytree(out, tmp_path / "old")
    assert calls(stages[stage], out, None, tmp_path / "count") == 0
    new = left(out)
    every = range(1, int((tmp_path / "count").read_text()) + 1)
    most = pytestconfig.getoption("--calls")
    for number in every if not most else every[-most:]:
        shutil.rmtree(out)
        shutil.copytree(tmp_path / "old", out)
        calls(stages[stage], out, number, tmp_path / "none")
        record = read_results(out)
        expected = new if (out / "results.json").read_bytes() == new["results.json"] else left(tmp_path / "old")
        files = [path for sample in record.samples for path in (sample.image, sample.map, sample.truth)]
        counts["used unseen"] += any((out / path).read_bytes() != expected.get(path) for path in files)
        counts["runs"] += 1
        counts["lost"] += run(stages[stage], out) != 0
        counts["different"] += left(out) != new
    judge(counts)


@pytest.mark.parametrize("stage", STAGES)
def test_two_at_once(stage: str, stages: dict[str, Stage], out: Path, whole: Contents, counts: Counter[str]) -> None:
    """Of two processes at most one is refused, and what comes out is as of one alone."""
    for _ in range(2):
        codes = [ended(child) for child in [forked(lambda: stages[stage].run(out)) for _ in range(2)]]
        counts["lost"] += 0 not in codes
        compare(stages[stage], out, whole, counts)
    judge(counts)


@pytest.mark.parametrize("stage", STAGES)
def test_full_disk(stage: str, stages: dict[str, Stage], out: Path, whole: Contents, counts: Counter[str]) -> None:
    """No file may grow beyond a size; afterwards the same command goes on."""
    largest = max(len(content) for content in whole.values() if isinstance(content, bytes))
    for size in (0, 100, largest // 2, largest - 1):

        def limited(size: int = size) -> int:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            return stages[stage].run(out)

        counts["taken for whole"] += ended(forked(limited)) == 0
        compare(stages[stage], out, whole, counts)
    judge(counts)
