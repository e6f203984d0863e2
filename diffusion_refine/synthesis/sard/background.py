"""The two readings of what stays outside the mask; `region_constraint` says why there are two. No torch."""

from enum import StrEnum


class Background(StrEnum):
    """What stays outside the mask from step to step."""

    forward = "forward"
    literal = "literal"
