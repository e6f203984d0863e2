"""A thousand spoilt files for every reader: values or refusals, and nothing else. `make fuzz` tries many more."""

from pathlib import Path

import pytest

from tests.fuzz.run import with_hypothesis
from tests.fuzz.tally import MEGABYTES
from tests.fuzz.targets import TARGETS

INPUTS = 1000


@pytest.mark.filterwarnings("ignore")  # of numbers without bounds in what is refused
@pytest.mark.parametrize("name", TARGETS)
def test_spoilt_files_are_read_or_refused(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tally = with_hypothesis(TARGETS[name], INPUTS, tmp_path)
    with capsys.disabled():
        print(f"\n{tally.line('hypothesis')}", end=" ")
    assert tally.inputs >= INPUTS
    assert tally.refused > INPUTS / 10  # else they were hardly spoilt
    assert tally.values > 0  # else they were spoilt beyond all reading
    assert not tally.examples, "\n".join(
        f"{what}: {content!r}: {told}" for what, (content, told) in tally.examples.items()
    )
    assert (tally.tracebacks, tally.hangs) == (0, 0)
    assert tally.grown < MEGABYTES
