"""Reading a study's YAML, with errors that name the file and the field."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from anomaly.studies.engine.settings import StudyBase
from procgen.errors import BlemishError
from scenes.quantities.distribution import shown
from scenes.quantities.recipe_model import RecipeModel
from scenes.recipes.reading import RecipeError, recipe_fields

PRESETS = Path(__file__).parents[1] / "presets"

AnyStudy = TypeVar("AnyStudy", bound=StudyBase, covariant=True)
AnyModel = TypeVar("AnyModel", bound=RecipeModel)


class StudyError(BlemishError):
    """A study that cannot be used or gone on with; one line per problem."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))


@dataclass(frozen=True)
class StudyFile(Generic[AnyStudy]):
    """A study and where it was read: paths in it are relative to that file's folder."""

    study: AnyStudy
    path: Path

    def beside(self, name: str) -> Path:
        return Path(name) if Path(name).is_absolute() else self.path.parent / name

    def error(self, field: str, problem: str) -> StudyError:
        return StudyError(str(self.path), [f"{field}: {problem}"])


def shipped_studies() -> tuple[str, ...]:
    """Names of the studies that come with Blemish."""
    return tuple(sorted(path.stem for path in PRESETS.glob("*.yaml")))


def study_path(name_or_path: str | Path) -> Path:
    """The file behind a shipped study's name or a path. Raises StudyError where there is none."""
    text = str(name_or_path)
    if text in shipped_studies():
        return PRESETS / f"{text}.yaml"
    path = Path(name_or_path)
    if not path.is_file():
        other = "a folder" if path.is_dir() else "a pipe or a device"
        found = other if path.exists() else "no such file and no such study"
        near = difflib.get_close_matches(text, shipped_studies(), 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise StudyError(text, [f"found {found}{hint} (shipped: {', '.join(shipped_studies())})"])
    return path


def fields_of(path: Path) -> dict[str, Any]:
    """What a study's file says, unchecked. Raises StudyError where it is no mapping of fields."""
    try:
        written = recipe_fields(path.resolve())  # an absolute path is no shipped recipe's name
    except RecipeError as error:
        raise StudyError(str(path), [str(problem) for problem in error.problems]) from None
    if not isinstance(written, dict):
        raise StudyError(
            str(path), [f"found {shown(written)}; expected fields as in `blemish study magnetic_tile --show`"]
        )
    return written


def checked(written: Mapping[str, Any], model: type[AnyModel], path: Path, prefix: str = "") -> AnyModel:
    """Fields as a model; prefix: of their names, where they are a section. Raises StudyError, a line per problem."""
    try:
        return model.model_validate(written)
    except ValidationError as error:
        raise StudyError(str(path), [prefix + problem for problem in _problems(error, model)]) from None


def _problems(error: ValidationError, model: type[RecipeModel]) -> Iterator[str]:
    for details in error.errors():
        # Pydantic also names the alternative of a union that it tried; that is no field.
        names = [str(name) for name in details["loc"] if str(name) not in ("literal['all']", "tuple[str, ...]")]
        yield f"{'.'.join(names)}: {_said(details, model)}" if names else _said(details, model)


def _said(details: ErrorDetails, model: type[RecipeModel]) -> str:
    found, context = shown(details["input"]), details.get("ctx", {})
    match details["type"]:
        case "missing":
            return "missing; expected this field to be given"
        case "extra_forbidden":
            section = tuple(_section(model, details["loc"][:-1]).model_fields)
            near = difflib.get_close_matches(str(details["loc"][-1]), section, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            return f"unknown field{hint} (allowed: {', '.join(section)})"
        case "value_error":
            return str(context["error"])
        case "fields_together":
            return details["msg"]
        case "literal_error":
            return f"found {found}; expected {context['expected'].replace(chr(39), '')}"
        case "model_type" | "model_attributes_type":
            return f"found {found}; expected a mapping of fields"
        case _:
            return f"found {found}; expected {details['msg'].removeprefix('Input should be ')}"


def _section(model: type[RecipeModel], location: Sequence[int | str]) -> type[RecipeModel]:
    """The model of the section at a place of another's fields; names within a mapping, and numbers, are passed over."""
    for name in location:
        field = model.model_fields.get(str(name))
        model = _model_in(field.annotation) or model if field else model
    return model


def _model_in(annotation: Any) -> type[RecipeModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, RecipeModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
