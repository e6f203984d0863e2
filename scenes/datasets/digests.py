"""The digests of a folder's files: taken when it is whole, compared when it is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from scenes.datasets.errors import DatasetError
from scenes.datasets.files import is_temporary, sha256_of
from scenes.datasets.schema import CHANGED


def digests_of(folder: Path, *but: str) -> dict[str, str]:
    """SHA-256 of every file below a folder, by its path from there, but for those named. Raises DatasetError."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: sha256_of(path) for name, path in files.items() if name not in but and not is_temporary(path.name)}


def differing(folder: Path, digests: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with the files of a folder, in words that name each."""
    for name, digest in digests.items():
        try:
            if sha256_of(folder / name) != digest:
                yield f"{folder / name}: {CHANGED}"
        except DatasetError as error:
            yield str(error)
