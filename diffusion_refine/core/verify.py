"""Whether a trained model is as it was saved: every file compared with its digest. No torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scenes.datasets.digests import differing, digests_of
from scenes.datasets.errors import DatasetError
from scenes.datasets.files import read_bytes, seal_of
from scenes.datasets.schema import CHANGED
from scenes.jobs.checkpoints import read_checked

INDEX = "model_index.json"  # without which a folder is no model
DIGESTS = "digests.json"  # SHA-256 of `files`, which a model is read from, and of `beside`, which tell of its training
STATE = "training"  # the folder of checkpoints


def damages(folder: Path) -> Iterator[str]:
    """Everything that is wrong with a model and its training, in words."""
    for path in sorted((folder / STATE).glob("*.pt")):
        try:
            read_checked(path)
        except (OSError, ValueError) as error:
            yield f"{path}: is no whole checkpoint ({error})"
    if not (folder / INDEX).is_file():
        return  # a training that was stopped
    if not (folder / DIGESTS).is_file():
        yield f"{folder}: holds no {DIGESTS}, as another program or an earlier Blemish wrote it: nothing to compare"
        return
    yield from model_damages(folder)
    beside = _kept(folder).get("beside", {})
    yield from differing(folder, {name: digest for name, digest in beside.items() if not name.endswith(".pt")})


def model_damages(folder: Path) -> Iterator[str]:
    """What is wrong with the files that a model is read from; of one without digests nothing is known to be."""
    if not (folder / DIGESTS).is_file():
        return
    files = _kept(folder).get("files")
    if files:
        yield from differing(folder, files)
    else:
        yield f"{folder / DIGESTS}: {CHANGED}"


def digest_of_model(folder: Path) -> str:
    """SHA-256 of the files that a model is read from, by their names, wherever it lies. Raises DatasetError."""
    files = _kept(folder).get("files") or digests_of(folder)
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def repair(folder: Path) -> str:
    """What is left to do: the training has what the model is saved from."""
    return f"{folder}: run the command that trained it again: it saves the model anew from its last checkpoint"


def _kept(folder: Path) -> Mapping[str, Any]:
    """What the digests' own file holds; nothing where it is damaged."""
    try:
        content = read_bytes(folder / DIGESTS)
        return dict(json.loads(content)) if seal_of(content) == "whole" else {}
    except (DatasetError, ValueError, TypeError, RecursionError):
        return {}
