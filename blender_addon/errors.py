"""What can go wrong around Blender, told in one sentence."""

from procgen.errors import BlemishError


class RenderError(BlemishError):
    """A Blender process could not render its frames."""
