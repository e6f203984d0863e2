"""Turned metal."""

from typing import Annotated, Literal

from procgen.finish import TurnedFinish
from scenes.catalogue.finish_model import FinishRecipeModel, heading
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Degrees, Fine, Fraction, Offset, Ratio


class TurnedFinishRecipe(FinishRecipeModel):
    """Turned: the groove of the tool, once a feed, face or shaft; see `procgen.finish.TurnedFinish`.

    marks: concentric about an upright axis through axis_x_mm, axis_y_mm, as on a faced disc; or helical about an axis
    that lies in the picture at axis_degrees, as on a shaft, axis_depth_mm below the highest point. Far below, as unless
    told otherwise, only its direction matters.
    """

    kind: Literal["turned"]
    feed_mm: Fine
    marks: Literal["concentric", "helical"] = "concentric"
    axis_x_mm: Offset = Constant(0.0)
    axis_y_mm: Offset = Constant(0.0)
    axis_degrees: Degrees = Constant(0.0)
    axis_depth_mm: Annotated[Distribution, Within(0, 1000)] = Constant(1000.0)
    irregularity: Ratio = Constant(0.5)
    anisotropy: Fraction = Constant(0.0)

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
