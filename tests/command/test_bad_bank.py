"""Inspectors that cannot be used: one clear line, exit code 2, and every file as it was."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from anomaly.inspection.inspector import BANK_FILE
from tests.command.inputs import HALF
from tests.command.told import Refused, Run


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def of_a_newer_version(content: bytes) -> bytes:
    return content.replace(rb"schema\": 1", rb"schema\": 7")


def garbage(content: bytes) -> bytes:
    return np.random.default_rng(0).bytes(5000)


def of_another_program(content: bytes) -> bytes:
    return (2).to_bytes(8, "little") + b"{}"


def without_its_bank(content: bytes) -> bytes:
    return content.replace(b'"bank":', b'"tank":')


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (cut, "is no bank that can be read"),
        (of_a_newer_version, "schema 7 found, 1 expected; use the blemish that wrote it"),
        (garbage, "is no bank that can be read"),
        (of_another_program, "was not written by blemish; give a folder that `blemish train` made"),
        (without_its_bank, "is incomplete or damaged"),
        (lambda content: b"", "is no bank that can be read"),
    ],
)
def test_bank_that_cannot_be_used(refused: Refused, at: Path, spoil: Callable[[bytes], bytes], told: str) -> None:
    path = at / "bank" / BANK_FILE
    path.write_bytes(spoil(path.read_bytes()))
    line = refused("evaluate", at / "bank", at / "data", *HALF, "--out", at / "new")
    assert line.startswith(f"{path}: ")
    assert told in line


def test_bank_that_is_not_there(refused: Refused, at: Path) -> None:
    for place in (at / "absent", at / "data", at / "recipe.yaml"):
        line = refused("evaluate", place, at / "data", "--out", at / "new")
        assert line.startswith(f"{place}: holds no {BANK_FILE}; train an inspector with `blemish train DATASET --out ")


def test_failed_evaluation_leaves_the_one_before_whole(refused: Refused, run: Run, at: Path) -> None:
    assert run("evaluate", at / "bank", at / "data", *HALF, "--out", at / "report").code == 0
    image = at / "data/images/000002.png"
    image.write_bytes(image.read_bytes()[:500])
    line = refused("evaluate", at / "bank", at / "data", *HALF, "--out", at / "report")
    assert "is truncated or damaged" in line
