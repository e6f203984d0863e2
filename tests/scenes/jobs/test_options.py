"""What a page tells to type again."""

import pytest

from scenes.jobs.options import repeatable


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["report", "a b", "--workers", "2"], "blemish report 'a b'"),
        (["report", "--ray", "local", "set", "--workers=3", "--batch", "4"], "blemish report set --batch 4"),
        (["report", "set", "--out", "x"], "blemish report set --out x"),
        (["report", "set", "--workers"], "blemish report set"),
    ],
)
def test_where_tasks_were_done_is_left_out(typed: list[str], told: str) -> None:
    assert repeatable(typed) == told
