"""What the recipes of all parts have in common, and the parts that are drawn from them."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from scenes.geometry.atlas import Part
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import RecipeModel
from scenes.quantities.scene_model import SceneModel


class DrawnPart(SceneModel):
    """The dimensions of one part, metres."""

    if TYPE_CHECKING:
        kind: str

    @property
    @abstractmethod
    def framed_width(self) -> float:
        """What the camera's picture is to hold, left to right."""

    @property
    @abstractmethod
    def framed_height(self) -> float:
        """And top to bottom."""

    @abstractmethod
    def build(self) -> Part:
        """The mesh, and the charts of its inspected surface."""


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
