"""Between the panel's settings and recipes: either says all that the other does.

`to_fields` is the recipe as YAML would write it, `to_recipe` the same checked, `from_recipe` the way back.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import bpy

from blender_addon.ui import schema
from blender_addon.ui.changes import quiet
from blender_addon.ui.recipe import choices, names, quantities
from blender_addon.ui.recipe.properties import SCENE, STAGE
from blender_addon.ui.recipe.section_properties import channels
from blender_addon.ui.schema import Field, SectionFields

if TYPE_CHECKING:
    from scenes.recipes.recipe import Recipe

VERSION = 1  # of the settings in a .blend
FAMILIES = ("defects", "impurities")


def to_recipe(settings: Any, **instead: Any) -> Recipe:
    """The recipe that the settings describe; `instead`: fields that say something else.

    Raises RecipeError where they contradict each other.
    """
    from scenes.recipes.reading import RecipeError
    from scenes.recipes.recipe import recipe_from

    name = settings.name or "the panel"
    try:
        return recipe_from({**to_fields(settings), **instead}, name)
    except ValueError as error:
        if isinstance(error, RecipeError):
            raise
        raise RecipeError(name, [str(error)]) from None


def from_recipe(recipe: Recipe, settings: Any) -> None:
    """Set the settings to what a recipe says; seed, frame and preview stay."""
    fields = recipe.model_dump(mode="json")
    with quiet():
        settings.version = VERSION
        settings.name = fields["name"]
        set_kind(settings.part, fields["part"])
        set_surface(settings, fields)
        settings.light_kind = fields["light"]["kind"]
        light = schema.light_section(settings.light_kind)
        set_section(getattr(settings, light.key), light, fields["light"])
        for group in ("camera", "sensor"):
            set_section(getattr(settings, group), schema.sections()[group], fields[group])
        settings.use_texel_um = fields["texel_um"] is not None
        if fields["texel_um"] is not None:
            settings.texel_um = fields["texel_um"]
        settings.where = SCENE if "scene" in fields else STAGE
        if "scene" in fields:
            set_section(settings.scene, schema.sections()["scene"], fields["scene"])
        kept = {"calibrate": recipe.calibrate, "lots": fields.get("lots")}
        settings.written = json.dumps(
            {
                **{key: fields[key] for key in ("texel_um", "switched_off")},
                **{key: value for key, value in kept.items() if value},
            }
        )
        settings.use_lots = True
        for family in FAMILIES:
            for position, layer in enumerate(of_family(settings, family)):
                layer.place = f"{family}.{position}"


def to_fields(settings: Any) -> dict[str, Any]:
    """The recipe as YAML would write it, unchecked. Raises ValueError for a list that holds no numbers."""
    light = schema.light_section(settings.light_kind)
    fields = {
        "name": settings.name,
        "part": kind_to_fields(settings.part),
        "finish": kind_to_fields(settings.finish),
        **{family: [kind_to_fields(layer) for layer in of_family(settings, family)] for family in FAMILIES},
        "light": {**section_to_fields(getattr(settings, light.key), light), "kind": settings.light_kind},
        **{
            group: section_to_fields(getattr(settings, group), schema.sections()[group])
            for group in ("camera", "sensor")
        },
    }
    before = json.loads(settings.written or "{}")
    if settings.use_texel_um:
        fields["texel_um"] = _same_or_read(_number_field("texel_um"), before.get("texel_um"), settings.texel_um)
    if settings.where == SCENE:
        fields["scene"] = section_to_fields(settings.scene, schema.sections()["scene"])
    if keeps_bounds(settings):
        fields["calibrate"] = before["calibrate"]
    if settings.use_lots and (lots := _lots(settings)):
        fields["lots"] = lots
    off = switched_off(settings)
    as_before = before.get("switched_off", [])
    fields["switched_off"] = as_before if sorted(set(as_before)) == off else off
    return fields


def any_scene(settings: Any) -> dict[str, Any]:
    """What to say of a scene of the user where its surface alone matters: what is inspected may not be chosen yet."""
    return {"scene": {"inspect": ["*"]}} if settings.where == SCENE else {}


def set_surface(settings: Any, fields: dict[str, Any]) -> None:
    """Set the finish, the layers and which of them are left out to what a recipe says; lots of others go."""
    kept = json.loads(settings.written or "{}")
    settings.written = json.dumps({key: value for key, value in kept.items() if key != "lots"})
    set_kind(settings.finish, fields["finish"])
    set_layers(settings, [entry for family in FAMILIES for entry in fields[family]])
    _switch_off(settings, fields["switched_off"])


def lots_of(settings: Any) -> list[dict[str, Any]]:
    """The lots of the recipe, which the panel keeps and has no properties for."""
    lots: list[dict[str, Any]] = json.loads(settings.written or "{}").get("lots", [])
    return lots


def _lots(settings: Any) -> list[dict[str, Any]]:
    """The recipe's lots, where its layers are now; of a layer that was copied, both are of the lot."""
    from scenes.recipes.lots import moved

    places: dict[str, list[str]] = {}
    for family in FAMILIES:
        for position, layer in enumerate(of_family(settings, family)):
            if layer.place:
                places.setdefault(layer.place, []).append(f"{family}.{position}")
    return moved(lots_of(settings), places)


def keeps_bounds(settings: Any) -> bool:
    """Whether the recipe says what may be calibrated, which the panel keeps and has no properties for."""
    return "calibrate" in json.loads(settings.written or "{}")


def set_kind(holder: Any, fields: dict[str, Any]) -> None:
    """Set a part, finish or layer to what a recipe says of it."""
    holder.kind = fields["kind"]
    section = schema.section_of_kind()[fields["kind"]]
    set_section(getattr(holder, section.key), section, fields)


def kind_to_fields(holder: Any) -> dict[str, Any]:
    """What a recipe says of a part, finish or layer."""
    section = schema.section_of_kind()[holder.kind]
    return {**section_to_fields(getattr(holder, section.key), section), "kind": holder.kind}


def set_layers(settings: Any, entries: Iterable[dict[str, Any]]) -> None:
    """Replace all layers; defects before impurities, as they lie on the surface."""
    settings.layers.clear()
    for entry in entries:
        set_kind(settings.layers.add(), entry)
    settings.active_layer = min(max(0, settings.active_layer), max(0, len(settings.layers) - 1))


def family_of(layer: Any) -> str:
    """The field of the recipe that a layer belongs to: defects or impurities."""
    return schema.section_of_kind()[layer.kind].group


def of_family(settings: Any, family: str) -> list[Any]:
    """The layers of a family, bottom first."""
    return [layer for layer in settings.layers if family_of(layer) == family]


def switched_off(settings: Any) -> list[str]:
    """What a recipe says is left out: whole families, and single layers as in `defects.2`."""
    off = [family for family in FAMILIES if not getattr(settings, family)]
    any_solo = any(layer.solo for layer in settings.layers)
    for family in FAMILIES:
        for position, layer in enumerate(of_family(settings, family)):
            if layer.muted or (any_solo and not layer.solo):
                off.append(f"{family}.{position}")
    return sorted(off)


def _switch_off(settings: Any, off: list[str]) -> None:
    for family in FAMILIES:
        setattr(settings, family, family not in off)
        for position, layer in enumerate(of_family(settings, family)):
            layer.muted, layer.solo = f"{family}.{position}" in off, False


def set_section(group: Any, section: SectionFields, fields: dict[str, Any]) -> None:
    """Set a section's group to what a recipe says; fields that it leaves out get their defaults."""
    remembered = {name: value for name, value in fields.items() if name != "kind"}
    for field in section.fields:
        value = fields.get(field.name, None if field.optional else field.default)
        remembered[field.name] = value
        if field.optional:
            used = value is not None and value != field.neutral
            setattr(group, f"use_{field.name}", used)
            if field.sort == "section" and not used:
                continue
            value = value if used else field.default
        _set_field(group, field, value)
    group.written = json.dumps(remembered)


def section_to_fields(group: Any, section: SectionFields) -> dict[str, Any]:
    """What a recipe says of a section. Raises ValueError for a list that holds no numbers."""
    before = json.loads(group.written or "{}")
    known = {field.name for field in section.fields}
    fields: dict[str, Any] = {name: value for name, value in before.items() if name not in known}  # nothing gets lost
    for field in section.fields:
        if schema.is_used(field, group):
            try:
                fields[field.name] = _field_to_value(group, field, before.get(field.name))
            except ValueError as error:
                section_name = schema.title_of(section.key)
                raise ValueError(f"{section_name}, {field.title}: {error}") from None
        elif field.neutral is not None and before.get(field.name) == field.neutral:
            fields[field.name] = before[field.name]
    return fields


def _set_field(group: Any, field: Field, value: Any) -> None:
    match field.sort:
        case "quantity":
            _set_quantity(group, field, value)
        case "colour":
            plain = [entry if not isinstance(entry, dict) else None for entry in value]
            setattr(group, f"{field.name}_varies", None in plain)
            if None not in plain:
                setattr(group, field.name, plain)
            for channel, entry in zip(channels(field), value, strict=True):
                _set_quantity(group, channel, entry)
        case "pair":
            for axis, number in zip("xy", value, strict=True):
                setattr(group, f"{field.name}_{axis}", number)
        case "number":
            setattr(group, field.name, int(value) if field.whole else value * quantities.factor(field.name))
        case "choice":
            setattr(group, field.name, str(value))
        case "section":
            if value is not None:
                set_section(getattr(group, field.name), schema.sections()[field.name], value)
        case "names":
            setattr(group, field.name, names.text_of(value or ()))
        case "word":
            setattr(group, field.name, value if isinstance(value, str) else choices.NAMES)
            setattr(group, f"{field.name}_names", "" if isinstance(value, str) else names.text_of(value))
        case "folder":
            setattr(group, field.name, "" if value is None else value["folder"])
        case "entries":
            collection = getattr(group, field.name)
            collection.clear()
            for entry in value or ():
                set_section(collection.add(), schema.sections()[field.name], entry)
            setattr(group, f"active_{field.name}", 0)
        case "clearances":
            collection = getattr(group, field.name)
            collection.clear()
            for kind, clearance in value.items() if value else ():
                entry = collection.add()
                entry.kind, entry.clearance_mm, entry.written = kind, clearance, json.dumps(clearance)
        case _:
            setattr(group, field.name, value)


def _field_to_value(group: Any, field: Field, before: Any) -> Any:
    match field.sort:
        case "quantity":
            return _quantity_to_value(group, field, before)
        case "colour":
            before = before or [None, None, None]
            if getattr(group, f"{field.name}_varies"):
                pairs = zip(channels(field), before, strict=True)
                return [_quantity_to_value(group, channel, entry) for channel, entry in pairs]
            pairs = zip(before, getattr(group, field.name), strict=True)
            return [_same_or_read(field, entry, value) for entry, value in pairs]
        case "pair":
            return [getattr(group, f"{field.name}_{axis}") for axis in "xy"]
        case "number":
            value = getattr(group, field.name)
            return value if field.whole else _same_or_read(field, before, value)
        case "choice":
            return next(choice for choice in field.choices if str(choice) == getattr(group, field.name))
        case "section":
            return section_to_fields(getattr(group, field.name), schema.sections()[field.name])
        case "names":
            return _names(getattr(group, field.name), before)
        case "word" if getattr(group, field.name) == choices.NAMES:
            return _names(getattr(group, f"{field.name}_names"), before)
        case "folder":
            folder = _folder(group, field)
            # Digests of pictures are those of the folder that they came with.
            return before if before is not None and before["folder"] == folder else {"folder": folder}
        case "entries":
            return [section_to_fields(entry, schema.sections()[field.name]) for entry in getattr(group, field.name)]
        case "clearances":
            return {
                entry.kind: _same_or_read(field, json.loads(entry.written or "null"), entry.clearance_mm)
                for entry in getattr(group, field.name)
            }
        case _:
            return getattr(group, field.name)


def pinned_pictures(group: Any, field: Field) -> int:
    """How many pictures of a folder a recipe names by their digests, which the panel keeps and has no property for."""
    before = json.loads(group.written or "{}").get(field.name)
    kept = before is not None and schema.is_used(field, group) and before["folder"] == _folder(group, field)
    return len(before.get("sha256") or ()) if kept else 0


def _folder(group: Any, field: Field) -> str:
    folder = getattr(group, field.name)
    return os.path.normpath(bpy.path.abspath(folder)) if folder else ""


def _names(text: str, before: Any) -> list[str]:
    """The names of a line; those that were written, if it still is what they became."""
    as_before = isinstance(before, list) and names.text_of(before) == text
    return before if as_before else names.names_in(text)


def _set_quantity(group: Any, field: Field, value: Any) -> None:
    """Set the properties of the form that is written, and begin the others where a switch to them makes sense."""
    state = quantities.state_of(field, value)
    middle = quantities.middle(field, value)
    state = {**quantities.spread_about(field, middle), "": middle, "clipped": True, "values": "", **state}
    for part, number in state.items():
        setattr(group, f"{field.name}_{part}" if part else field.name, number)


def _quantity_to_value(group: Any, field: Field, before: Any) -> Any:
    state = _state(group, field)
    if before is not None and quantities.state_of(field, before) == state:
        return before
    return quantities.written_of(field, state)


def _state(group: Any, field: Field) -> dict[str, Any]:
    """The properties that the quantity's form reads, by the ending of their name."""
    form = getattr(group, f"{field.name}_form")
    parts = quantities.used_parts(form, clipped=getattr(group, f"{field.name}_clipped"))
    return {"form": form} | {part: getattr(group, f"{field.name}_{part}" if part else field.name) for part in parts}


def _same_or_read(field: Field, before: Any, value: float) -> float:
    """The number that was written, if the property still is what it became; otherwise the shortest for what it is."""
    if isinstance(before, int | float) and quantities.single(before * quantities.factor(field.name)) == value:
        return float(before)
    return quantities.read(field, value)


def _number_field(name: str) -> Field:
    return Field(name, "number")
