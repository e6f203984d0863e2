"""Sound contents spoilt by a few edits: as a hypothesis strategy, whose failures shrink, or drawn plainly, and fast."""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from random import Random
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.target import Target, Tree

MOST_BYTES = 1 << 16
NUMBER = re.compile(rb"-?\d+\.?\d*")
HALF = 0.5
CHANGES = ("replace", "delete", "copy")
SHARES = st.floats(0, 1, exclude_max=True)
NUMBERS = (
    b"0", b"-1", b"1e308", b"1e400", b"-1e400", b"nan", b"65536", b"4294967295", b"1e-320", b"9" * 400, b"0.0000001",
    b"1000",
)  # fmt: skip
# What may stand in the place of any value.
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 0.5, 1e308, -1e308, 1e-320, float("nan"), float("inf"), 2**31, 2**63, 2**64, 10**400,
    "", "x", "\0", "\ud800", "a\nb", "../../etc/passwd", "x" * 5000, "2024-01-01", "1e3",
    [], {}, [[]], [{}], {"": {}}, [1], [1, 2], [None], list(range(1500)), json.loads("[" * 60 + "]" * 60),
    {"kind": "crack"}, {"kind": 3}, {"kind": []}, {"uniform": [2, 1]}, {"uniform": [1e308, 1.1e308]},
    {"normal": [0, 1]}, {"choice": []}, {"poisson": 1e5},
)  # fmt: skip


def spoilt(target: Target, sounds: list[bytes]) -> st.SearchStrategy[bytes]:
    """Contents made of the sound ones by edits of bytes, and of single values where they are trees."""
    tokens = st.one_of(st.sampled_from([*target.tokens, *NUMBERS]), st.binary(min_size=1, max_size=4))
    edit = st.tuples(st.sampled_from(KINDS), SHARES, SHARES, tokens)
    edits = st.lists(edit, min_size=1, max_size=4)
    of_bytes = st.builds(edited, st.sampled_from(sounds), edits)
    of_bytes = st.one_of(of_bytes, of_bytes.map(target.mend))
    if target.tree is None:
        return of_bytes
    change = st.tuples(SHARES, st.sampled_from(CHANGES), st.sampled_from(VALUES))
    tree, changes = target.tree, st.lists(change, min_size=1, max_size=3)
    of_values = st.builds(lambda sound, made: changed(tree, sound, made), st.sampled_from(sounds), changes)
    return st.one_of(of_values, of_bytes)


def plainly(target: Target, sounds: list[bytes], dice: Random) -> bytes:
    """One such content, drawn without hypothesis, in a tenth of its time."""
    sound = dice.choice(sounds)
    if target.tree is not None and dice.random() < HALF:
        kinds = [(dice.random(), dice.choice(CHANGES), dice.choice(VALUES)) for _ in range(dice.randint(1, 3))]
        return changed(target.tree, sound, kinds)
    edits = [
        (
            dice.choice(KINDS),
            dice.random(),
            dice.random(),
            dice.choice([*target.tokens, *NUMBERS]) if dice.random() < HALF else dice.randbytes(dice.randint(1, 4)),
        )
        for _ in range(dice.randint(1, 4))
    ]
    content = edited(sound, edits)
    return target.mend(content) if dice.random() < HALF else content


def edited(content: bytes, edits: list[tuple[str, float, float, bytes]]) -> bytes:
    for kind, start, length, token in edits:
        place = int(start * (len(content) + 1))
        span = int(length**4 * (len(content) - place)) + 1  # mostly short
        content = EDITS[kind](content, place, span, token)[:MOST_BYTES]
    return content


def _number(content: bytes, place: int, span: int, token: bytes) -> bytes:
    found = NUMBER.search(content, place)
    return content if found is None else content[: found.start()] + token + content[found.end() :]


EDITS = {
    "delete": lambda content, place, span, token: content[:place] + content[place + span :],
    "insert": lambda content, place, span, token: content[:place] + token + content[place:],
    "number": _number,
    "overwrite": lambda content, place, span, token: content[:place] + token + content[place + len(token) :],
    "repeat": lambda content, place, span, token: content[:place] + content[place : place + span] * 3 + content[place:],
    "swap": lambda content, place, span, token: (
        content[:place]
        + content[place + span : place + 2 * span]
        + content[place : place + span]
        + content[place + 2 * span :]
    ),
    "truncate": lambda content, place, span, token: content[:place],
}

KINDS = sorted(EDITS)


@cache
def _loaded(loads: Callable[[bytes], Any], sound: bytes) -> Any:
    return loads(sound)


def changed(tree: Tree, sound: bytes, changes: list[tuple[float, str, Any]]) -> bytes:
    value = deepcopy(_loaded(tree.loads, sound))
    for share, kind, replacement in changes:
        places = list(_places(value))
        if not places:
            break
        holder, key = places[int(share * len(places))]
        if kind == "replace":
            holder[key] = deepcopy(replacement)
        elif kind == "delete":
            del holder[key]
        elif isinstance(holder, list):
            holder.append(deepcopy(holder[key]))
        else:
            holder[f"{key}_"] = deepcopy(holder[key])
    return tree.dumps(sound, value)


def _places(value: Any) -> Any:
    """Every holder and key, or index, of a nested value."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])
