"""Which pictures show one surface, where nobody says so: those of the same bytes, wherever they lie."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from scenes.files import opened
from scenes.formats.errors import SampleError
from scenes.formats.sample import Sample


def content_group(path: Path) -> str:
    """The group of a picture that is known by its content alone. Raises SampleError where it cannot be read."""
    return f"content/{content_digest(path)[:16]}"


def content_digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal. Raises SampleError where it cannot be read."""
    try:
        with opened(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SampleError(f"{path}: cannot be read ({error.strerror}); restore it") from None


def joined(samples: Sequence[Sample]) -> list[Sample]:
    """The samples, with one group in the place of all groups that share a picture of the same bytes."""
    leader: dict[str, str] = {}

    def led_by(group: str) -> str:
        while leader.setdefault(group, group) != group:
            group = leader[group]
        return group

    first: dict[str, str] = {}
    for sample in samples:
        digest = content_digest(sample.image_path)
        ours, theirs = led_by(sample.group), led_by(first.setdefault(digest, sample.group))
        leader[max(ours, theirs)] = min(ours, theirs)
    return [replace(sample, group=led_by(sample.group)) for sample in samples]
