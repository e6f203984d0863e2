"""The error that a dataset can cause."""

from procgen.errors import BlemishError


class DatasetError(BlemishError):
    """A dataset that cannot be written or read; the message names the file and what to do."""
