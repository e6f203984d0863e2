"""The version of Blemish."""


def blemish_version() -> str:
    """The distribution's version, which datasets and inspectors carry; "unknown" where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("blemish")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"
