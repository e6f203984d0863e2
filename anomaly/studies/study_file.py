"""What a study is: its YAML, checked, with errors that name the file and the field."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StrictBool, StringConstraints, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from anomaly.studies.scenarios import SCENARIOS
from procgen.errors import BlemishError
from scenes.formats.registry import AUTO, FORMATS
from scenes.quantities.distribution import shown
from scenes.quantities.recipe_model import RecipeModel, together
from scenes.recipes.reading import RecipeError, recipe_fields

PRESETS = Path(__file__).parent / "presets"

Seed = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
Frames = Annotated[int, Field(strict=True, ge=2, le=100_000)]
Samples = Annotated[int, Field(strict=True, ge=1, le=65536)]
Share = Annotated[float, Field(gt=0, lt=1)]
Changes = dict[str, Any]  # dotted path of a recipe's field -> what stands there instead


class StudyError(BlemishError):
    """A study that cannot be used or gone on with; one line per problem."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))


class RenderedSettings(RecipeModel):
    """Renders that stand for photographs: another seed, another sensor, another light than the ones trained on.

    frames: with whatever the recipe puts on them, to evaluate on; clean_frames: without defects and impurities, to
    train on.
    """

    recipe: str
    changes: Changes = Field(default_factory=dict)
    frames: Frames
    clean_frames: Frames
    seed: Seed
    samples: Samples = 32


class RealSettings(RecipeModel):
    """The surfaces that every inspector is evaluated on: a folder of photographs, or renders held out.

    dataset: relative to the study's file. train: share of the good surfaces to train on; validation: share of the
    remaining good ones, and of the defective, that gives the threshold; all others are evaluated. Where the set names
    its own training pictures, as held-out renders do, those are trained on.
    """

    dataset: str | None = None
    format: str = AUTO
    rendered: RenderedSettings | None = None
    train: Share = 0.5
    validation: Share = 0.25

    @field_validator("format")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in (AUTO, *FORMATS):
            raise ValueError(f"found {shown(name)}; expected {', '.join((AUTO, *FORMATS))}")
        return name

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.dataset is None) == (self.rendered is None):
            found = "neither dataset nor rendered" if self.dataset is None else "both dataset and rendered"
            raise together(f"found {found}; expected one of them")
        return self


class SyntheticSettings(RecipeModel):
    """The renders to train on.

    changes: what differs from the recipe, by dotted path, as in `light.scale: 2` or `impurities.water_stains.rings: 0`.
    impurity: the kind that the stained twins have and the others have not; every other impurity is left out of both.
    lights: by name, what domain randomization changes in the recipe; each is a set of its own, with its own seed.
    """

    recipe: str
    changes: Changes = Field(default_factory=dict)
    frames: Frames
    seed: Seed
    samples: Samples = 32
    impurity: str = "water_stains"
    lights: dict[str, Changes] = Field(default_factory=dict)


class InspectorSettings(RecipeModel):
    """image_size: pixels to which the longest side of the largest real picture is scaled, all others by that factor."""

    bank: Annotated[int, Field(strict=True, ge=2, le=1_000_000)] = 2048
    epochs: Annotated[int, Field(strict=True, ge=1, le=1000)] = 5
    image_size: Annotated[int, Field(strict=True, ge=32, le=16384)] | None = None
    backbone: str | None = None
    pretrained: StrictBool = False
    weights: str | None = None


class BootstrapSettings(RecipeModel):
    samples: Annotated[int, Field(strict=True, ge=100, le=100_000)] = 1000
    level: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    seed: Seed = 0


class Study(RecipeModel):
    """A whole study; `surface` and `imaging` describe the real side in words, for the comparison with the paper."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
    surface: str
    imaging: str
    seeds: tuple[Seed, ...]
    real: RealSettings
    synthetic: SyntheticSettings
    inspector: InspectorSettings = InspectorSettings()
    scenarios: Literal["all"] | tuple[str, ...] = "all"
    bootstrap: BootstrapSettings = BootstrapSettings()

    @field_validator("seeds")
    @classmethod
    def _differ(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if not seeds or len(set(seeds)) < len(seeds):
            raise ValueError(f"found {list(seeds)}; expected at least one seed, and seeds that differ")
        return seeds

    @field_validator("scenarios")
    @classmethod
    def _are_known(cls, names: Literal["all"] | tuple[str, ...]) -> Literal["all"] | tuple[str, ...]:
        for name in () if names == "all" else names:
            if name not in SCENARIOS:
                near = difflib.get_close_matches(name, SCENARIOS, 1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise ValueError(f"found {shown(name)}{hint} (allowed: all, or a list of {', '.join(SCENARIOS)})")
        if not names:
            raise ValueError("found an empty list; expected all, or names of scenarios")
        return names

    @model_validator(mode="after")
    def _renders_differ(self) -> Self:
        """Frames of one seed show the same surfaces: none may be both trained on and evaluated."""
        if self.real.rendered is None:
            return self
        held_out = {self.real.rendered.seed, self.real.rendered.seed + 1}
        trained_on = range(self.synthetic.seed, self.synthetic.seed + len(self.synthetic.lights) + 1)
        if held_out & set(trained_on):
            raise together(
                f"found real.rendered.seed {self.real.rendered.seed} and synthetic.seed {self.synthetic.seed}, whose "
                f"frames show the same surfaces; expected seeds at least {len(self.synthetic.lights) + 2} apart"
            )
        return self

    @property
    def chosen(self) -> tuple[str, ...]:
        """Names of the scenarios asked for, in the order of Table II."""
        return tuple(name for name in SCENARIOS if self.scenarios == "all" or name in self.scenarios)


@dataclass(frozen=True)
class StudyFile:
    """A study and where it was read: paths in it are relative to that file's folder."""

    study: Study
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
        found = "a folder" if path.is_dir() else "no such file and no such study"
        near = difflib.get_close_matches(text, shipped_studies(), 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise StudyError(text, [f"found {found}{hint} (shipped: {', '.join(shipped_studies())})"])
    return path


def load_study(name_or_path: str | Path) -> StudyFile:
    """Read a shipped study by name, or a YAML file. Raises StudyError with one line per problem."""
    path = study_path(name_or_path)
    try:
        written = recipe_fields(path.resolve())  # an absolute path is no shipped recipe's name
    except RecipeError as error:
        raise StudyError(str(path), [str(problem) for problem in error.problems]) from None
    if not isinstance(written, dict):
        raise StudyError(
            str(path), [f"found {shown(written)}; expected fields as in `blemish study magnetic_tile --show`"]
        )
    try:
        return StudyFile(Study.model_validate(written), path)
    except ValidationError as error:
        raise StudyError(str(path), list(_problems(error))) from None


def _problems(error: ValidationError) -> Iterator[str]:
    for details in error.errors():
        # Pydantic also names the alternative of a union that it tried; that is no field.
        names = [str(name) for name in details["loc"] if str(name) not in ("literal['all']", "tuple[str, ...]")]
        yield f"{'.'.join(names)}: {_said(details)}" if names else _said(details)


def _said(details: ErrorDetails) -> str:
    found, context = shown(details["input"]), details.get("ctx", {})
    match details["type"]:
        case "missing":
            return "missing; expected this field to be given"
        case "extra_forbidden":
            section = _section(details["loc"][:-1])
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


def _section(location: Sequence[int | str]) -> tuple[str, ...]:
    """Names of the fields of the section at a place of the study."""
    models: Mapping[str, type[RecipeModel]] = {
        "real": RealSettings,
        "rendered": RenderedSettings,
        "synthetic": SyntheticSettings,
        "inspector": InspectorSettings,
        "bootstrap": BootstrapSettings,
    }
    return tuple((models[str(location[-1])] if location else Study).model_fields)
