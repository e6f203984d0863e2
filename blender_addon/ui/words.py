"""Texts of the tab in the language that Blender is set to.

Blender looks up by itself what buttons, fields and labels are called. A sentence that is put together here goes through
`say`. The translations are `translations/LANGUAGE.json`, text by text.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import bpy

FOLDER = Path(__file__).with_name("translations")
CONTEXTS = ("*", "Operator")  # in which Blender looks up what fields, and what buttons are called
REGIONS = {"de": ("de", "de_DE")}  # what Blender calls a language, which changed with its versions


def say(text: str, **values: object) -> str:
    """The text in Blender's language, with the values in its braces."""
    translated: str = bpy.app.translations.pgettext_iface(text)
    return translated.format(**values) if values else translated


def compose(template: str, *texts: str) -> str:
    """A text for Blender that is put together of others, which are translated one by one."""
    made = template.format(*texts)
    composed[made] = (template, texts)
    return made


composed: dict[str, tuple[str, tuple[str, ...]]] = {}  # what was put together -> of what


def translated(text: str, texts: dict[str, str]) -> str:
    """A text in a language, of which the texts are given; itself where the language has none for it."""
    if text in texts:
        return texts[text]
    template, parts = composed.get(text, (text, ()))
    return texts.get(template, template).format(*(translated(part, texts) for part in parts)) if parts else text


@lru_cache(maxsize=1)
def languages() -> dict[str, dict[str, str]]:
    """Text by English text, of each language."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def register() -> None:
    found = {
        region: {(context, text): translated(text, texts) for text in (*texts, *composed) for context in CONTEXTS}
        for language, texts in languages().items()
        for region in REGIONS[language]
    }
    bpy.app.translations.register(__name__, found)


def unregister() -> None:
    bpy.app.translations.unregister(__name__)
