"""The one error that a user can cause, a stop, and the one warning."""


class BlemishError(Exception):
    """Something the user gave cannot be used; the message says what was found, where, and what to do instead.

    The command prints it as a single line and exits with status 2. Mistakes of the programmer stay ordinary exceptions.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(_printable(str(message)))


class Stopped(BlemishError):
    """A command that was interrupted; the message says what of it is kept. It is printed, and the exit code is 130."""


class BlemishNote(UserWarning):
    """What was assumed of the user's files, or could not be checked; the command prints it once, as a line."""

    def __init__(self, message: object = "") -> None:
        super().__init__(_printable(str(message)))


def _printable(message: str) -> str:
    """A message with escapes for what no terminal shows, or obeys, as a file of another's may hold it."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in message)
