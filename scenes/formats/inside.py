"""Files that another file names, which must lie in the folder of both; and JSON that people's tools wrote."""

from __future__ import annotations

import json
import os
from pathlib import Path, PureWindowsPath
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from scenes.files import content_of
from scenes.formats.errors import SampleError
from scenes.quantities.distribution import shown

Model = TypeVar("Model", bound=BaseModel)
MOST_BYTES = 2_000_000_000  # of a JSON file: what is larger would fill the memory


def named_inside(folder: Path, base: Path, name: str, where: str) -> Path:
    """The file that a name says, from `base` on; it need not be there.

    where: the file and field that hold the name. Raises SampleError where it leads out of the folder.
    """
    plain = name.replace("\\", "/")
    if not plain or "\0" in plain or PureWindowsPath(plain).drive or plain.startswith("/"):
        raise SampleError(f"{where}: found {shown(name)}; expected the name of a file inside {folder}")
    path = Path(os.path.normpath(base / plain))
    if not path.is_relative_to(os.path.normpath(folder)):
        raise SampleError(f"{where}: found {shown(name)}, which leads out of {folder}; expected a file inside it")
    return path


def is_file(path: Path) -> bool:
    """Whether a file is there; also of a name that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether a folder is there; also of a name that no folder can have."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def json_at(path: Path) -> object:
    """What a JSON file says. Raises SampleError."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise SampleError(f"{path}: is larger than {MOST_BYTES / 1e9:g} GB; part the set")
        return json.loads(content_of(path))
    except (ValueError, RecursionError):
        raise SampleError(f"{path}: is truncated or damaged, not JSON; restore it") from None
    except OSError as error:
        raise SampleError(f"{path}: cannot be read ({error.strerror}); make it readable") from None


def read_json(path: Path, model: type[Model]) -> Model:
    """A JSON file as a model has it. Raises SampleError, which names the field that is otherwise."""
    return checked(json_at(path), model, str(path))


def checked(written: object, model: type[Model], where: str) -> Model:
    """A value as a model has it. Raises SampleError, which names the field that is otherwise."""
    try:
        return model.model_validate(written)
    except ValidationError as error:
        details = error.errors()[0]
        field = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in details["loc"]).lstrip(".")
        told = "is missing" if details["type"] == "missing" else f"found {shown(details['input'])}; {details['msg']}"
        raise SampleError(f"{where}: {field or 'the whole'}: {told}; mend or restore it") from None
