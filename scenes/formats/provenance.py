"""Where the pictures of a dataset come from, as its records say it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scenes.datasets.files import sha256_of
from scenes.formats.sample import Sample
from scenes.pictures.reading import Photograph


def parents_of(sample: Sample, number: int, photograph: Photograph, folder: Path | None) -> list[dict[str, Any]]:
    """What the records of frames say of a picture that they were made of."""
    parent = {"photo": photograph.name, "frame": number, "sha256": photograph.sha256, "surface": sample.group}
    return [parent if folder is None else {**parent, "set": folder.resolve().name, "sample": sample.name}]


def digest_of(samples: Sequence[Sample]) -> str:
    """SHA-256 over samples: their names, labels, surfaces and splits, and the bytes of their pictures and labels."""
    digest, known = hashlib.sha256(), dict[Path, str]()
    for sample in samples:
        digest.update(json.dumps([sample.name, sample.label, sample.group, sample.split]).encode())
        digest.update((sample.sha256 or sha256_of(sample.image_path)).encode())
        for path in sample.annotation.files():  # often one for all of them
            if path not in known:
                known[path] = sha256_of(path)
            digest.update(known[path].encode())
    return digest.hexdigest()
