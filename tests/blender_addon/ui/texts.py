"""Every text that the tab shows: of what is registered with Blender, and of what its panels draw."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import bpy

import blender_addon.ui
from blender_addon.ui import schema, words

UI = Path(blender_addon.ui.__file__).parent
UNITS = {field.panel_unit for section in schema.sections().values() for field in section.fields} | {"µm"}
SHOWN_AS = {
    "label": "text",
    "operator": "text",
    "menu": "text",
    "prop": "text",
    "column": "heading",
}  # by what draws it
# Dictionaries and lists of texts that are drawn by way of a variable: module, name, whether the keys are what is shown.
LISTS = (
    ("recipe/rows.py", "PART_LABELS"),
    ("recipe/sizes.py", "SCALES"),
    ("learn/panels.py", "FIGURES"),
    ("keys.py", "LABELS"),
    ("dataset/operators.py", "TEST_NAME"),
    ("own_scene/operators.py", "NONE_FITS"),
    ("dataset/own_scene.py", "NEVER_SAVED"),
    ("dataset/own_scene.py", "UNSAVED"),
)


def classes() -> list[Any]:
    """Operators, panels and menus of the tab, and the groups of properties that a scene and the preferences hold."""
    found = [
        getattr(bpy.types, name)
        for name in dir(bpy.types)
        if name.startswith(("BLEMISH_", "MESH_OT_blemish", "SCENE_OT_blemish"))
    ]
    groups: list[Any] = []
    for name in ("blemish", "blemish_dataset", "blemish_learn"):
        _groups_below(bpy.types.Scene.bl_rna.properties[name].fixed_type, groups)
    from blender_addon.ui.preferences import BlemishPreferences

    return [*found, *groups, BlemishPreferences]


def _groups_below(described: Any, found: list[Any]) -> None:
    if described in found:
        return
    found.append(described)
    for field in own_properties(described):
        holds = field.fixed_type.base if field.type in ("POINTER", "COLLECTION") else None
        if holds is not None and holds.identifier == "PropertyGroup":
            _groups_below(field.fixed_type, found)


def own_properties(described: Any) -> Iterator[Any]:
    """Properties of a class that are neither Blender's nor hidden."""
    rna = getattr(described, "bl_rna", described)
    if issubclass_of(described, bpy.types.Operator):
        module, _, name = described.bl_idname.partition(".")
        rna = getattr(getattr(bpy.ops, module), name).get_rna_type()
    known = {field.identifier: field.description for field in getattr(rna.base, "properties", ())}
    for field in rna.properties:
        if known.get(field.identifier) != field.description and not field.is_hidden:
            yield field


def issubclass_of(described: Any, base: type) -> bool:
    return isinstance(described, type) and issubclass(described, base)


def singly(found: Iterable[str]) -> Iterator[str]:
    """Texts one by one: those that were put together as their template and what stands in it; no mere symbols."""
    for text in found:
        template, parts = words.composed.get(text, (text, ()))
        yield from singly(parts)
        if any(map(str.isalpha, re.sub(r"\{\w*\}", "", template))) and template not in UNITS:
            yield template


def described() -> Iterator[tuple[str, str]]:
    """(where, text) of every title and tooltip that is registered with Blender."""
    for cls in classes():
        where = getattr(cls, "__name__", "") or cls.identifier
        if issubclass_of(cls, bpy.types.Operator):
            yield f"{where}, label", cls.bl_label
            yield f"{where}, tooltip", getattr(cls, "bl_description", "") or (cls.__doc__ or "")
        elif (issubclass_of(cls, bpy.types.Panel) or issubclass_of(cls, bpy.types.Menu)) and cls.bl_label:
            yield f"{where}, label", cls.bl_label
        for field in own_properties(cls):
            yield f"{where}.{field.identifier}, name", field.name
            yield f"{where}.{field.identifier}, tooltip", field.description
            for item in getattr(field, "enum_items_static", ()):
                yield f"{where}.{field.identifier}, {item.identifier}", item.name
                yield f"{where}.{field.identifier}, {item.identifier}, tooltip", item.description


def drawn() -> Iterator[tuple[str, str]]:
    """(where, text) of every text in the code that a panel, menu or sentence shows.

    Raises AssertionError for one that is put together without `say`, which nobody can translate.
    """
    for path in sorted(UI.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        name = path.relative_to(UI).as_posix()
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield from ((f"{name}:{node.lineno}", text) for text in _of_call(node, name))
        for module, variable in LISTS:
            if module == name:
                yield from ((f"{name}, {variable}", text) for text in _of_list(tree, variable))


def _of_call(node: ast.Call, name: str) -> Iterator[str]:
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    shown = [word.value for word in node.keywords if word.arg == SHOWN_AS.get(called)]
    if called == "say" or called == "labelled_row":
        shown = node.args[: 1 if called == "say" else 2][-1:]
    for value in shown:
        for choice in (value.body, value.orelse) if isinstance(value, ast.IfExp) else (value,):
            pieces = choice.values if isinstance(choice, ast.JoinedStr) else []
            texts = [piece.value for piece in pieces if isinstance(piece, ast.Constant)]
            assert not any(map(str.isalpha, "".join(texts))), f"{name}:{node.lineno}: put together without `say`"
            if (
                isinstance(choice, ast.Constant)
                and isinstance(choice.value, str)
                and any(map(str.isalpha, choice.value))
            ):
                yield choice.value


def _of_list(tree: ast.Module, variable: str) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == variable:
            value = ast.literal_eval(node.value)
            yield from (value.values() if isinstance(value, dict) else [value] if isinstance(value, str) else value)
