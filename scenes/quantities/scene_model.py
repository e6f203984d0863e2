"""What drawn scenes are made of: immutable records of numbers in SI units."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Vector = tuple[float, float, float]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]


class SceneModel(BaseModel):
    """Base of everything in a scene: immutable, nothing unknown, nothing infinite, exact through JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


def lacking(value: object) -> bool:
    """Whether a scene has nothing of this, so that it is left out where the scene is written."""
    return not value
