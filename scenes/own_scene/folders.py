"""Folders of pictures of which a frame takes one: listed, known by their digests, and never left by a path."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from procgen.errors import BlemishError
from scenes.datasets.files import sha256_of
from scenes.own_scene.variation import PictureFile
from scenes.quantities.distribution import shown
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import RecipeModel

PICTURES = (".exr", ".hdr", ".png", ".jpg", ".jpeg", ".tif", ".tiff")
MOST_PICTURES = 10_000
DIGEST = re.compile("[0-9a-f]{64}")


class PictureFolderRecipe(RecipeModel):
    """A folder beside the recipe whose pictures are equally likely; those in folders within it are not taken.

    sha256: digest of each picture by its name, where no others will do; a dataset says them.
    """

    folder: Annotated[str, Field(min_length=1, max_length=4096)] = Field(
        description="The folder: .exr, .hdr, .png, .jpg or .tif; from the recipe's own"
    )
    sha256: dict[str, str] | None = Field(
        None, title="SHA-256", description="Digests of the pictures by their names, where no others will do"
    )

    @field_validator("folder")
    @classmethod
    def _beside_the_recipe(cls, folder: str, info: ValidationInfo) -> str:
        base = (info.context or {}).get("folder")
        try:
            return folder if base is None else str((Path(base) / folder).resolve())
        except (RuntimeError, ValueError, OSError):  # links in a circle, a zero character
            raise ValueError(f"found {shown(folder)}, which leads nowhere; expected a folder of pictures") from None

    @field_validator("sha256")
    @classmethod
    def _plain_names(cls, digests: dict[str, str] | None) -> dict[str, str] | None:
        for name, digest in (digests or {}).items():
            if not is_plain(name) or not DIGEST.fullmatch(digest):
                raise ValueError(f"found {shown({name: digest})}; expected the name of a file and its SHA-256")
        return digests

    def names(self) -> tuple[str, ...]:
        """Names of the pictures, in order. Raises BlemishError where the folder is none, or holds none."""
        folder = Path(self.folder)
        try:
            entries = sorted(folder.iterdir())
        except (OSError, ValueError) as error:
            cause = getattr(error, "strerror", error)
            raise BlemishError(
                f"{self.folder}: cannot be read ({cause}); expected a folder of pictures, as the recipe's scene has it"
            ) from None
        found = tuple(path.name for path in entries if path.suffix.lower() in PICTURES and _lies_in(folder, path))
        if not 0 < len(found) <= MOST_PICTURES:
            raise BlemishError(
                f"{self.folder}: found {len(found)} pictures; expected 1 to {MOST_PICTURES}: {', '.join(PICTURES)}"
            )
        return found

    def pinned(self) -> PictureFolderRecipe:
        """This folder with the digests of its pictures. Raises BlemishError where they are not those it names."""
        digests = {name: digest_of(Path(self.folder) / name) for name in self.names()}
        if self.sha256 is not None and self.sha256 != digests:
            other = sorted({*self.sha256.items()} ^ {*digests.items()})[0][0]
            raise BlemishError(
                f"{self.folder}: {other} is not as the recipe names it; expected the {len(self.sha256)} pictures of "
                "its sha256: put them back, or begin anew without that field"
            )
        return self.model_copy(update={"sha256": digests})

    def draw(self, stream: RandomStream, name: str) -> PictureFile:
        """One of the pictures. Raises BlemishError where there is none."""
        names = sorted(self.sha256) if self.sha256 else self.names()
        chosen = names[int(stream.chance(name) * len(names))]
        digest = self.sha256[chosen] if self.sha256 else digest_of(Path(self.folder) / chosen)
        return PictureFile(name=chosen, sha256=digest)

    def path_of(self, picture: PictureFile) -> Path:
        """Where a picture of a record lies. Raises BlemishError where it is gone, another one, or outside."""
        folder, path = Path(self.folder), Path(self.folder) / picture.name
        if not is_plain(picture.name) or not path.is_file() or not _lies_in(folder, path):
            raise BlemishError(f"{self.folder}: found no picture {shown(picture.name)}; expected it to lie there")
        digest = digest_of(path)
        if digest != picture.sha256:
            raise BlemishError(
                f"{path}: found a file of SHA-256 {digest[:12]}…; expected {picture.sha256[:12]}…: put the picture "
                "back that the frame was made with"
            )
        return path


def is_plain(name: str) -> bool:
    """Whether a name is that of a file in the very folder."""
    return name not in ("", ".", "..") and not any(sign in name for sign in "/\\\0:")


def _lies_in(folder: Path, path: Path) -> bool:
    """Whether a file lies in a folder and is no link that leads out of it."""
    try:
        return path.is_file() and path.resolve().parent == folder.resolve()
    except (OSError, RuntimeError, ValueError):
        return False


def digest_of(path: Path) -> str:
    """SHA-256 of a picture, hexadecimal. Raises BlemishError where it cannot be read."""
    try:
        status = path.stat()
    except OSError as error:
        raise BlemishError(f"{path}: cannot be read ({error.strerror}); expected a picture") from None
    return _digest(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=MOST_PICTURES)
def _digest(path: Path, modified: int, size: int) -> str:
    return sha256_of(path)
