"""What pictures can cause: an error, and a note on what was assumed."""

from procgen.errors import BlemishError


class PictureError(BlemishError):
    """A picture or mask that cannot be read; names the file and what to do."""


class PictureNote(UserWarning):
    """What was assumed of pictures or masks and may be wrong; the command prints it once."""
