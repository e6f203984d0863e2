"""What the sections of a recipe are made of: quantities in a user's units, and errors about several fields together."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

from scenes.quantities.distribution import Distribution, Within

Fraction = Annotated[Distribution, Within(0, 1)]
Signed = Annotated[Distribution, Within(-1, 1)]
Ratio = Annotated[Distribution, Within(0, 10)]
Degrees = Annotated[Distribution, Within(-360, 360)]
Extent = Annotated[Distribution, Within(0.1, 2000)]  # mm, of parts and lights
Offset = Annotated[Distribution, Within(-1000, 1000)]  # mm
Fine = Annotated[Distribution, Within(0.001, 1000)]  # mm, of structures on a surface
Hours = Annotated[Distribution, Within(0, 100_000)]
Microns = Annotated[Distribution, Within(0, 10_000)]
Count = Annotated[Distribution, Within(0, 1000, whole=True)]


class RecipeModel(BaseModel):
    """Base of everything in a recipe: immutable, nothing unknown, nothing infinite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


def together(found: str) -> PydanticCustomError:
    """An error of several fields together, to be raised in a model validator."""
    return PydanticCustomError("fields_together", "{found}", {"found": found})
