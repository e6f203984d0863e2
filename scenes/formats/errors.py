"""The error that a folder of pictures can cause."""

from procgen.errors import BlemishError


class SampleError(BlemishError):
    """A folder of pictures, or a mask in it, that cannot be used; names the file and what to do."""
