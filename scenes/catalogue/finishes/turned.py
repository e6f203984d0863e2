"""Turned metal."""

from typing import Annotated, Literal

from pydantic import Field

from procgen.finish import TurnedFinish
from scenes.catalogue.entry import FinishEntry
from scenes.catalogue.finish_model import ProfiledFinishRecipe, heading
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Degrees, Fine, Fraction, Offset, Ratio


class TurnedFinishRecipe(ProfiledFinishRecipe):
    """Turned: the groove of the tool, once a feed, face or shaft; see `procgen.finish.TurnedFinish`.

    marks: concentric about an upright axis through axis_x_mm, axis_y_mm, as on a faced disc; or helical about an axis
    that lies in the picture at axis_degrees, as on a shaft, axis_depth_mm below the highest point. Far below, as unless
    told otherwise, only its direction matters.
    """

    kind: Literal["turned"]
    feed_mm: Fine = Field(description="From groove to groove, that is per revolution")
    marks: Literal["concentric", "helical"] = Field(
        "concentric",
        description="Circles about an upright axis as on a faced disc, or a helix about a lying one as on a shaft",
    )
    axis_x_mm: Offset = Field(
        Constant(0.0), title="Axis X", description="Where the lathe's axis meets the surface, of concentric marks"
    )
    axis_y_mm: Offset = Field(
        Constant(0.0), title="Axis Y", description="Where the lathe's axis meets the surface, of concentric marks"
    )
    axis_degrees: Degrees = Field(
        Constant(0.0), description="Direction of the lathe's axis in the picture, of helical marks"
    )
    axis_depth_mm: Annotated[Distribution, Within(0, 1000)] = Field(
        Constant(1000.0), description="How far the lathe's axis lies below the highest point, of helical marks"
    )
    irregularity: Ratio = Field(Constant(0.5), description="How much one groove differs from the next")
    anisotropy: Fraction = Field(
        Constant(0.0), description="How much reflections are drawn out across the machining marks"
    )

    def sample(self, stream: RandomStream) -> TurnedFinish:
        """The finish of one frame."""
        parameters = self.parameters(stream)
        x, y, depth, angle = (parameters.pop(name) for name in ("axis_x", "axis_y", "axis_depth", "axis"))
        is_face = self.marks == "concentric"
        return TurnedFinish(
            marks=self.marks,
            axis_point=(x, y, 0.0 if is_face else -depth),
            axis_direction=(0.0, 0.0, 1.0) if is_face else heading(angle),
            **parameters,
        )


ENTRIES = (
    FinishEntry(
        kind="turned",
        recipe=TurnedFinishRecipe,
        drawn=TurnedFinish,
        title="Turned",
        tooltip="The groove of a lathe's tool, on a face or a shaft",
        noun="turned",
        material="metal",
        requires=frozenset({"axis"}),
    ),
)
