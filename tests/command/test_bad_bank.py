"""Inspectors that cannot be used: one clear line, exit code 2, and every file as it was."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load, save

from anomaly.inspection.inspector import BANK_FILE, _digest
from tests.command.inputs import HALF
from tests.command.told import Refused, Run


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def of_a_newer_version(content: bytes) -> bytes:
    return content.replace(rb"schema\": 1", rb"schema\": 9")


def garbage(content: bytes) -> bytes:
    return np.random.default_rng(0).bytes(5000)


def of_another_program(content: bytes) -> bytes:
    return (2).to_bytes(8, "little") + b"{}"


def without_its_bank(content: bytes) -> bytes:
    return content.replace(b'"bank":', b'"tank":')


def with_field(content: bytes, name: str, value: object) -> bytes:
    """What a bank says of itself, with one field changed and the digest of it all made anew; its tensors stay."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    described = json.loads(header["__metadata__"]["blemish"])
    del described["sha256"]
    changed = {**described, name: value}
    sealed = {**changed, "sha256": _digest(load(content), changed)}
    header["__metadata__"]["blemish"] = json.dumps(sealed)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


def beyond_measure(content: bytes) -> bytes:
    """A bank, with a digest that fits, of which squared distances are infinite."""
    tensors, length = load(content), int.from_bytes(content[:8], "little")
    tensors["bank"][0, 0] = 1e30
    return with_field(save(tensors, json.loads(content[8 : 8 + length])["__metadata__"]), "seed", 0)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("backbone", 10**300, "backbone: found 1000"),
        ("backbone", None, "backbone: found None"),
        ("size", 2**31, "size: found 2147483648; input should be less than or equal to 16777216"),
        ("size", -1, "size: found -1"),
        ("size", [1], "size: found [1]"),
        ("size", 1, "size 1"),
        ("scale", "", "scale: found ''"),
        ("scale", float("nan"), "scale: found nan"),
        ("scale", 0, "scale: found 0"),
        ("scale", 1000, "scale: found 1000"),  # a picture of 16 pixels would be worked at as one of 16,000
        ("seed", 1e300, "seed: found 1e+300"),
        ("threshold", float("inf"), "threshold: found inf"),
        ("trained_on", 3, "trained_on: found 3"),
        ("groups", [[1]], "groups.0: found [1]"),
        ("sources", {"a": 3}, "sources.a: found 3"),
        ("accepted", "many", "accepted: found 'many'"),
        ("invented", 1, "found the field 'invented'"),
        ("schema", [2], "schema [2] found"),
    ],
)
def test_field_of_a_bank_that_is_nonsense(refused: Refused, at: Path, name: str, value: object, told: str) -> None:
    path = at / "bank" / BANK_FILE
    path.write_bytes(with_field(path.read_bytes(), name, value))
    for command in (("bank", at / "bank"), ("evaluate", at / "bank", at / "data", *HALF, "--out", at / "new")):
        line = refused(*command)
        assert line.startswith(f"{path}: ")
        assert told in line


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (cut, "is no bank that can be read"),
        (of_a_newer_version, "schema 9 found, 1 to 7 expected; use the blemish that wrote it"),
        (garbage, "is no bank that can be read"),
        (beyond_measure, "features reach 1e+30; expected"),
        (of_another_program, "was not written by blemish; give a folder that `blemish train` made"),
        (without_its_bank, "was changed or damaged since it was written"),
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
    assert "was changed or damaged since it was written" in line
