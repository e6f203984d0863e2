"""Which pictures show one surface, where nobody says so: those of the same bytes, wherever they lie."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from scenes.datasets.files import sha256_of
from scenes.formats.sample import Sample

BY_CONTENT = "content"  # what the groups of pictures begin with that are known by their bytes alone


def content_group(path: Path) -> str:
    """The group of a picture that is known by its content alone. Raises DatasetError where it cannot be read."""
    return f"{BY_CONTENT}/{sha256_of(path)[:16]}"


def joined(samples: Sequence[Sample]) -> list[Sample]:
    """The samples, with one group in the place of all groups that share a picture of the same bytes."""
    leader: dict[str, str] = {}

    def led_by(group: str) -> str:
        while leader.setdefault(group, group) != group:
            group = leader[group]
        return group

    first: dict[str, str] = {}
    for sample in samples:
        digest = sha256_of(sample.image_path)
        ours, theirs = led_by(sample.group), led_by(first.setdefault(digest, sample.group))
        leader[max(ours, theirs)] = min(ours, theirs)
    return [replace(sample, group=led_by(sample.group)) for sample in samples]
