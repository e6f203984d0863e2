"""Sections that the files of all studies have."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints, field_validator

from scenes.formats.registry import AUTO, FORMATS
from scenes.pictures.options import MOST_MILLIONS
from scenes.quantities.distribution import shown
from scenes.quantities.recipe_model import RecipeModel

Seed = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
Frames = Annotated[int, Field(strict=True, ge=2, le=100_000)]
Samples = Annotated[int, Field(strict=True, ge=1, le=65536)]
Share = Annotated[float, Field(gt=0, lt=1)]
Changes = dict[str, Any]  # dotted path of a recipe's field -> what stands there instead


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


class RealSet(RecipeModel):
    """The real side of a study: a folder of photographs, relative to the study's file, or renders held out.

    white_level: what white is in photographs of more than 8 bits, else found; most_pixels: millions that one may have.
    """

    dataset: str | None = None
    format: str = AUTO
    white_level: Annotated[float, Field(ge=1e-9)] | None = None
    most_pixels: Annotated[float, Field(ge=1e-3)] = MOST_MILLIONS
    rendered: RenderedSettings | None = None

    @field_validator("format")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in (AUTO, *FORMATS):
            raise ValueError(f"found {shown(name)}; expected {', '.join((AUTO, *FORMATS))}")
        return name


class BootstrapSettings(RecipeModel):
    samples: Annotated[int, Field(strict=True, ge=100, le=100_000)] = 1000
    level: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    seed: Seed = 0


class StudyBase(RecipeModel):
    """What every study says of itself; `surface` and `imaging` describe the real side in words."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
    task: str = "anomaly"
    surface: str
    imaging: str
    seeds: tuple[Seed, ...]
    bootstrap: BootstrapSettings = BootstrapSettings()

    @field_validator("seeds")
    @classmethod
    def _differ(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if not seeds or len(set(seeds)) < len(seeds):
            raise ValueError(f"found {list(seeds)}; expected at least one seed, and seeds that differ")
        return seeds
