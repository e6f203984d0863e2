"""Which pipeline of diffusers makes defects. No torch."""

from enum import StrEnum


class Kind(StrEnum):
    """In-painting, a ControlNet that sees edges or depth, or SDEdit."""

    inpaint = "inpaint"
    canny = "canny"
    depth = "depth"
    sdedit = "sdedit"
