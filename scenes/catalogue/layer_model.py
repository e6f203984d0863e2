"""What the recipes of all defects and impurities have in common, and the layers that are drawn from them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol

from procgen.surface.layer import Family, Layer
from scenes.geometry.atlas import Chart
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import RecipeModel

ChartSizes = Callable[[], Sequence[tuple[float, float]]]  # extents (m) of the charts of a part at its largest


class DrawnLayer(Protocol):
    """A drawn layer: numbers, of which `to_layer` makes a field over a chart."""

    @property
    def kind(self) -> str: ...

    def to_layer(self, surface: Chart) -> Layer: ...


class LayerRecipeModel(RecipeModel):
    """Base of the recipes of defects and impurities.

    class_name: of the masks. family: which of the two it is.
    """

    class_name: ClassVar[str]
    family: ClassVar[Family]
    if TYPE_CHECKING:
        kind: str

    @abstractmethod
    def sample(self, surface: Chart, stream: RandomStream) -> Sequence[DrawnLayer]:
        """The layers of one frame on a chart."""

    def trouble_on(self, sizes: ChartSizes) -> str | None:
        """What keeps it off the part, if anything: "FIELD: found X; expected Y"."""
        return None
