"""The one error that a user can cause."""


class BlemishError(Exception):
    """Something the user gave cannot be used; the message says what was found, where, and what to do instead.

    The command prints it as a single line and exits with status 2. Mistakes of the programmer stay ordinary exceptions.
    """

    def __init__(self, message: object = "") -> None:
        """Characters that no terminal shows, such as those of another's file, are written as escapes."""
        super().__init__("".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in str(message)))
