"""The one error that a user can cause, and the one warning."""


class BlemishError(Exception):
    """Something the user gave cannot be used; the message says what was found, where, and what to do instead.

    The command prints it as a single line and exits with status 2. Mistakes of the programmer stay ordinary exceptions.
    """


class BlemishNote(UserWarning):
    """What was assumed of the user's files, or could not be checked; the command prints it once, as a line."""
