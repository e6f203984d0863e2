"""Sphinx builds the site from these pages and from the public names of the packages. `make docs`."""

import re
from importlib import metadata
from typing import Any

project = "Blemish"
author = "The Blemish developers"
copyright = author
release = version = metadata.version("blemish")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = "Blemish"
myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath"]
suppress_warnings = ["misc.highlighting_failure"]

autodoc_member_order = "groupwise"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = False

_QUOTED = re.compile(r"(`[^`]*`)")
_SPECIAL = re.compile(r"([\\*|_])")


def _as_plain_text(app: Any, what: str, name: str, described: object, options: Any, lines: list[str]) -> None:
    """Docstrings are plain sentences with names in backticks, not reStructuredText."""
    for number, line in enumerate(lines):
        parts = _QUOTED.split(line)
        lines[number] = "".join(
            f"`{part}`" if part.startswith("`") and len(part) > 2 else _SPECIAL.sub(r"\\\1", part) for part in parts
        )


def setup(app: Any) -> None:
    """What Sphinx calls first."""
    app.connect("autodoc-process-docstring", _as_plain_text)
