"""Archives that WebDataset streams: of every picture its file, NAME.mask.png of all its defects, and NAME.json.

    train-000000.tar    000000.png    000000.mask.png    000000.json

NAME.json holds label, surface and size, and of every defect and impurity its class, box, area and COCO's run lengths.
Passes of a dataset follow as NAME.depth.png and the like.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from scenes.formats.exchange.writer import ASIDE, Entries, Labelled, Setup, Written, described, png_of
from scenes.formats.truth import DefectInstance, of_instances
from scenes.pictures.run_lengths import decoded

SHAPES: tuple[str, ...] = ()
LEARNS_FLAWS = True
HOLDS_PASSES = True
MODE = 0o644
CHUNK = 1 << 20  # bytes


def write(picture: Labelled, setup: Setup) -> Written:
    """The members of an archive that are this picture's, put aside."""
    said = described(picture)
    members = {
        picture.file: picture.content,
        f"{picture.stem}.mask.png": png_of(picture.truth.defect),
        f"{picture.stem}.json": json.dumps(said).encode(),
    }
    for name, (suffix, content) in picture.passes.files.items() if picture.passes else ():
        members[f"{picture.stem}.{name}{suffix}"] = content
    part = f"{ASIDE}/{picture.stem}.tar"
    back = (
        DefectInstance(each["class"], each["family"], decoded(each["segmentation"], picture.shape))
        for each in said["instances"]
    )
    content = b"".join(member(name, data) for name, data in members.items())
    return Written({part: content}, of_instances(tuple(back), picture.shape), [picture.split, part])


def member(name: str, content: bytes) -> bytes:
    """A file as it stands in an archive, its header first; of nobody and no time, so that the same is the same."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), MODE
    return info.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % tarfile.BLOCKSIZE)


def close(setup: Setup, entries: Entries, folder: Path) -> Iterator[tuple[str, Iterable[bytes]]]:
    """The archives of every split, each of at most `setup.shard` pictures."""
    for split in sorted({split for split, _ in entries()}):
        parts = [folder / part for of, part in entries() if of == split]
        for number, start in enumerate(range(0, len(parts), setup.shard)):
            yield f"{split}-{number:06d}.tar", _archive(parts[start : start + setup.shard])


def _archive(parts: Iterable[Path]) -> Iterator[bytes]:
    for part in parts:
        with part.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
    yield bytes(2 * tarfile.BLOCKSIZE)
