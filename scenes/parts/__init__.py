"""Parametric parts. Each module turns dimensions in metres into a mesh and the chart of its inspected surface."""

from scenes.atlas import Part
from scenes.parts.arc_segment import arc_segment
from scenes.parts.plate import plate
from scenes.scene import ArcSegment, Plate, Shape


def build_part(shape: Shape) -> Part:
    """The part that a scene describes."""
    match shape:
        case Plate():
            return plate(shape.width, shape.height, shape.thickness)
        case ArcSegment():
            return arc_segment(shape.radius, shape.width, shape.length, shape.thickness)


__all__ = ["arc_segment", "build_part", "plate"]
