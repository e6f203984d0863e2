"""What the sections of a recipe are made of: quantities in a user's units, and errors about several fields together."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue
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

# Fields that mean the same beneath every kind.
Count = Annotated[Distribution, Within(0, 1000, whole=True), Field(description="How many there are in a frame")]
Severity = Annotated[
    Distribution, Within(0, 1), Field(description="How bad it is: 0 is barely visible, 1 is as described below")
]
Probability = Annotated[float, Field(strict=True, ge=0, le=1, description="Share of the frames that have any")]
SurfaceAngle = Annotated[
    Distribution,
    Within(-360, 360),
    Field(description="Direction on the surface: 0° is along the width; from a border, 0° is straight inwards"),
]
ReflectanceChange = Annotated[
    Distribution,
    Within(-1, 1),
    Field(title="Reflectance ±", description="What it adds to the base colour: negative is darker"),
]
RoughnessChange = Annotated[
    Distribution,
    Within(-1, 1),
    Field(title="Roughness ±", description="What it adds to the roughness: negative is shinier"),
]


class RecipeModel(BaseModel):
    """Base of everything in a recipe: immutable, nothing unknown, nothing infinite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


def exactly_when(**values: tuple[str, ...]) -> dict[str, JsonValue]:
    """What `json_schema_extra` says of an optional field that is there exactly when another has one of these values."""
    ((field, listed),) = values.items()
    return {"exactly_when": {field: list(listed)}}


def together(found: str) -> PydanticCustomError:
    """An error of several fields together, to be raised in a model validator."""
    return PydanticCustomError("fields_together", "{found}", {"found": found})
