"""What the recipes of all parts have in common, and the parts that are drawn from them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable
from typing import TYPE_CHECKING, Protocol

from scenes.geometry.atlas import Part
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import RecipeModel


class DrawnPart(Hashable, Protocol):
    """The dimensions of one part, metres; framed_width, framed_height: what the camera's picture is to hold."""

    @property
    def kind(self) -> str: ...

    @property
    def framed_width(self) -> float: ...

    @property
    def framed_height(self) -> float: ...

    def build(self) -> Part: ...


class PartRecipeModel(RecipeModel):
    """Base of the recipes of parts."""

    if TYPE_CHECKING:
        kind: str

    @property
    @abstractmethod
    def framed_mm(self) -> float:
        """The least width that the camera may frame."""

    @property
    @abstractmethod
    def longest_mm(self) -> float:
        """The longest side that the inspected surface can have."""

    @abstractmethod
    def sample(self, stream: RandomStream) -> DrawnPart:
        """The part of one frame."""
