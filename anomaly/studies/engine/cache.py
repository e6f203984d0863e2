"""Results by content: a step's folder is named after the digest of everything that the step depends on.

    CACHE/
      renders/KEY/          a dataset; `blemish render` itself takes up one that was stopped
      datasets/KEY/         a dataset that another command made, or a part of the real set for it
      banks/KEY/            an inspector
      generators/KEY/       a model that datasets are drawn with
      models/KEY/           another learner
      evaluations/KEY/      what one of them counts for on one set
      unfinished/KIND-KEY  what a step has done so far; moved to its place when it is done

So a changed line of a study changes the keys of what depends on it and of nothing else, and a run killed at any moment
loses no more than the step that it was at.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from procgen.errors import BlemishError
from scenes.datasets.digests import differing, digests_of
from scenes.datasets.errors import DatasetError
from scenes.datasets.files import read_bytes, remove_leftovers, seal_of, sealed, sha256_of, write_atomically
from scenes.datasets.schema import CHANGED
from scenes.formats.sample import Sample

INPUTS = "inputs.json"  # beside a step's results: what its key is the digest of
FILES = "files"  # a field of it: SHA-256 of every other file of the step
PACKAGE = Path(__file__).parents[2]

# What reads pictures and their truth, as seen from this package.
READING = tuple(
    f"../scenes/{module}"
    for module in (
        "formats/registry", "formats/sample", "formats/truth", "formats/splitting", "formats/blemish",
        "formats/manifest", "formats/surfaces", "formats/inside", "formats/layouts/mvtec", "formats/layouts/masks",
        "formats/layouts/btad", "formats/layouts/kolektorsdd", "formats/layouts/kolektorsdd2", "formats/layouts/visa",
        "formats/labels/coco", "formats/labels/labelme", "formats/labels/yolo", "formats/labels/outlines",
        "pictures/decoding", "pictures/reading", "pictures/run_lengths",
        "pictures/masks", "pictures/png", "pictures/bands", "pictures/on_disk", "pictures/regions",
    )
)  # fmt: skip


@dataclass(frozen=True)
class StepKind:
    """A kind of step: its folder in the cache; modules of `anomaly` and libraries whose code decides its results."""

    name: str
    code: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()


RENDERS = StepKind("renders", libraries=("blemish",))
DATASETS = StepKind("datasets", libraries=("blemish",))
GENERATORS = StepKind("generators", libraries=("blemish",))
"""Renders and other datasets answer for themselves: what follows from them depends on their content."""


class CacheError(BlemishError):
    """A cache that cannot be used."""


class Cache:
    """Finished steps in a folder; one study at a time works in it."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._sound: set[Path] = set()  # what was compared with its digests

    def place(self, kind: StepKind, key: str) -> Path:
        return self.folder / kind.name / key

    def is_done(self, kind: StepKind, key: str) -> bool:
        """Whether a step's results are there, and as they were written; each is looked at once."""
        place = self.place(kind, key)
        if place not in self._sound and (place / INPUTS).is_file() and not any(damages_of_step(place)):
            self._sound.add(place)
        return place in self._sound

    def step(self, kind: StepKind, key: str, inputs: dict[str, Any], make: Callable[[Path], None]) -> Path:
        """The folder of a step's results; `make` fills it, in a folder of its own, unless they are there already.

        A step that is stopped finds what it left in that folder when it begins again.
        """
        place = self.place(kind, key)
        if self.is_done(kind, key):
            return place
        unfinished = self.folder / "unfinished" / f"{kind.name}-{key}"
        try:
            unfinished.mkdir(parents=True, exist_ok=True)
            place.parent.mkdir(parents=True, exist_ok=True)
            remove_leftovers(unfinished, even_of_the_living=True)  # one study at a time works here
        except OSError as error:
            raise CacheError(f"{self.folder}: cannot be written ({error.strerror}); choose another folder") from error
        make(unfinished)
        kept = {**inputs, FILES: digests_of(unfinished, INPUTS)}
        write_atomically(unfinished / INPUTS, sealed(json.loads(json.dumps(kept, sort_keys=True))))
        shutil.rmtree(place, ignore_errors=True)  # of an earlier, damaged result
        unfinished.rename(place)
        return place


def damages_of_step(step: Path) -> Iterator[str]:
    """What is wrong with the folder of a step's results, in words; of one without digests nothing is known to be."""
    path = step / INPUTS
    try:
        content = read_bytes(path)
        written = json.loads(content)
        digests = written.get(FILES, {})
    except (DatasetError, ValueError, AttributeError):
        yield f"{path}: {CHANGED}"
        return
    if seal_of(content) == "broken" or (seal_of(content) == "none" and {FILES, "sha256"} & written.keys()):
        yield f"{path}: {CHANGED}"
    else:
        yield from differing(step, digests)


def key_of(kind: StepKind, inputs: dict[str, Any]) -> str:
    """The key of a step: digest of its kind, its inputs (JSON values), and the code and libraries that it runs."""
    libraries = {name: _version(name) for name in kind.libraries}
    everything = {"kind": kind.name, "inputs": inputs, "code": code_digest(kind.code), "libraries": libraries}
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:24]


@cache
def code_digest(modules: tuple[str, ...]) -> str:
    """A digest of what modules of the package do: comments, docstrings and layout leave it as it is."""
    digest = hashlib.sha256()
    for module in modules:
        digest.update(module.encode() + meaning((PACKAGE / f"{module}.py").read_text(encoding="utf-8")).encode())
    return digest.hexdigest()


def class_digest(kind: type) -> str:
    """A digest of what the module of a class does, wherever it lies."""
    return hashlib.sha256(meaning(inspect.getsource(sys.modules[kind.__module__])).encode()).hexdigest()


def meaning(source: str) -> str:
    """A module's code without comments, docstrings and layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return ast.dump(tree)


def content_of(samples: Sequence[Sample]) -> str:
    """A digest of samples: what they show, what is known of them and which surfaces they are, wherever they lie."""
    digest = hashlib.sha256()
    of_labels = cache(sha256_of)  # one file may hold those of every picture
    for sample in samples:
        digest.update(f"{sample.name}\n{sample.group}\n{sample.label}\n{sample.split}\n".encode())
        if sample.options.white_level is not None and not sample.options.of_format:
            digest.update(f"white {sample.options.white_level}\n".encode())
        digest.update(bytes.fromhex(sha256_of(sample.image_path)))
        for path in sample.annotation.files():
            digest.update(bytes.fromhex(of_labels(path)))
    return digest.hexdigest()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
