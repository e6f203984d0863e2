"""What a study of inspectors is: its YAML, checked."""

from __future__ import annotations

import difflib
from typing import Annotated, Literal, Self

from pydantic import Field, StrictBool, field_validator, model_validator

from anomaly.studies.anomaly.scenarios import SCENARIOS
from anomaly.studies.engine.settings import Changes, Frames, RealSet, Samples, Seed, Share, StudyBase
from scenes.quantities.distribution import shown
from scenes.quantities.recipe_model import RecipeModel, together


class RealSettings(RealSet):
    """The surfaces that every inspector is evaluated on: a folder of photographs, or renders held out.

    train: share of the good surfaces to train on; validation: share of the
    remaining good ones, and of the defective, that gives the threshold; all others are evaluated. Where the set names
    its own training pictures, as held-out renders do, those are trained on.
    """

    train: Share = 0.5
    validation: Share = 0.25

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


class Study(StudyBase):
    """A whole study of inspectors."""

    real: RealSettings
    synthetic: SyntheticSettings
    inspector: InspectorSettings = InspectorSettings()
    scenarios: Literal["all"] | tuple[str, ...] = "all"

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
