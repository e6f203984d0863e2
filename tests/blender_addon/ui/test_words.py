"""Everything that the tab shows has a tooltip, and a German text."""

import re
from typing import Any

import pytest

bpy = pytest.importorskip("bpy")
from blender_addon.ui import lines, schema, words  # noqa: E402 - needs bpy
from tests.blender_addon.ui import texts  # noqa: E402

pytestmark = pytest.mark.render

DEFAULT_WIDTH = 240  # pixels of Blender's sidebar, at a scale of 1
BRACES = re.compile(r"\{\w+\}")


def test_everything_has_a_tooltip(scene: Any) -> None:
    found = list(texts.described())
    assert len(found) > 1000
    assert [where for where, text in found if not text] == []
    assert [(where, text) for where, text in found if where.endswith("tooltip") and text.endswith(".")] == []


def test_every_text_has_a_german_one(scene: Any) -> None:
    german = words.languages()["de"]
    wanted = dict.fromkeys(texts.singly(text for _, text in (*texts.described(), *texts.drawn())))
    assert [text for text in wanted if not german.get(text)] == []
    assert sorted(german.keys() - wanted.keys()) == []  # nor any that is shown no more
    assert [text for text in german if sorted(BRACES.findall(text)) != sorted(BRACES.findall(german[text]))] == []


def test_german_is_not_english(scene: Any) -> None:
    """But for symbols, names and words that are the same in both."""
    german = words.languages()["de"]
    assert [text for text in german if german[text] == text and len(text.split()) > 3] == []


def test_labels_and_their_units_stand_whole_in_a_sidebar_of_the_default_width(scene: Any) -> None:
    """Beside the field where that is long enough, or else above it."""
    room = (DEFAULT_WIDTH - lines.MARGINS) / lines.LETTER
    for section in schema.sections().values():
        for field in section.fields:
            for title in (field.title, words.languages()["de"][field.title]):
                label = f"{title} ({field.panel_unit})" if field.panel_unit else title
                assert len(label) <= room, label


@pytest.fixture
def german(scene: Any) -> Any:
    if not bpy.app.build_options.international:
        pytest.skip("this Blender has no languages")
    view = bpy.context.preferences.view
    before = view.language, view.use_translate_interface
    view.use_translate_interface = True
    for name in ("de_DE", "de"):  # until 4.5, and since
        try:
            view.language = name
        except TypeError:
            continue
        if bpy.app.translations.locale.startswith("de"):
            break
    yield
    view.language, view.use_translate_interface = before


@pytest.mark.usefixtures("german")
def test_blender_finds_the_german_texts(scene: Any) -> None:
    assert words.say("Frame {number}", number=3) == "Bild 3"
    assert bpy.app.translations.pgettext_iface("Look Through Camera", "Operator") == "Durch die Kamera sehen"


def test_without_a_language_everything_is_english(scene: Any) -> None:
    assert words.say("Frame {number}", number=3) == "Frame 3"
