"""The error that a picture can cause."""

from procgen.errors import BlemishError


class PictureError(BlemishError):
    """A picture or mask that cannot be read; names the file and what to do."""
