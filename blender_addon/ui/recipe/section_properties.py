"""The fields of one section of a recipe as Blender's properties, made from the schema."""

from collections.abc import Callable, Mapping
from typing import Any

import bpy

from blender_addon.ui.changes import changed, is_quiet, quiet
from blender_addon.ui.recipe import choices, quantities
from blender_addon.ui.schema import Field, SectionFields
from blender_addon.ui.words import compose

CHANNELS = ("red", "green", "blue")


class ClearanceSettings(bpy.types.PropertyGroup):
    """How far things keep off those of one kind."""

    __annotations__ = {
        "kind": bpy.props.StringProperty(name="Kind", description="Things that are kept off", update=changed),
        "clearance_mm": bpy.props.FloatProperty(
            name="Clearance",
            description="How far they keep off these",
            min=0,
            max=1000,
            soft_max=20,
            unit="CAMERA",
            update=changed,
        ),
        "written": bpy.props.StringProperty(options={"HIDDEN"}),
    }


def properties_of(section: SectionFields, groups: Mapping[str, type]) -> dict[str, Any]:
    """Every property of a section's group, by name; groups: classes of the sections it may hold, by their keys."""
    found: dict[str, Any] = {"written": bpy.props.StringProperty(options={"HIDDEN"})}
    for field in section.fields:
        found |= _properties(section, field, groups)
    return found


def _properties(section: SectionFields, field: Field, groups: Mapping[str, type]) -> dict[str, Any]:
    tip = field.tooltip
    label = compose("{} ({})", field.title, field.panel_unit) if field.panel_unit else field.title
    found: dict[str, Any] = {}
    if field.optional:
        found[f"use_{field.name}"] = bpy.props.BoolProperty(
            name=label, description=tip, default=field.given,
            update=_instead(field) if field.instead_of else changed,
        )  # fmt: skip
    match field.sort:
        case "quantity":
            found |= _quantity(field, field.name, label, tip)
        case "colour":
            found |= _colour(field, label, tip)
        case "number":
            found[field.name] = _number(field, label, tip, field.default)
        case "pair":
            for axis, name in enumerate("xy"):
                found[f"{field.name}_{name}"] = bpy.props.IntProperty(
                    name=compose("{} " + name.upper(), label), description=tip, update=changed, subtype="PIXEL",
                    min=int(field.low or 0), max=int(field.high or 0), default=field.default[axis],
                )  # fmt: skip
        case "flag":
            found[field.name] = bpy.props.BoolProperty(
                name=label, description=tip, default=bool(field.default), update=changed
            )
        case "choice":
            found[field.name] = bpy.props.EnumProperty(
                name=label, description=tip, items=choices.items(field), default=str(field.default), update=changed
            )
        case "word":
            found[field.name] = bpy.props.EnumProperty(
                name=label, description=tip, items=[*choices.items(field), choices.NAMES_ITEM],
                default=str(field.default), update=changed,
            )  # fmt: skip
            found[f"{field.name}_names"] = _text(label, tip)
        case "names":
            found[field.name] = _text(label, compose("{}, with commas between them", tip))
        case "folder":
            found[field.name] = _text(label, tip, subtype="DIR_PATH")
        case "text":
            subtype = {"subtype": "FILE_PATH"} if field.name == "path" else {}
            found[field.name] = _text(label, tip, default=field.default, **subtype)
        case "section":
            found[field.name] = bpy.props.PointerProperty(type=groups[field.name], name=label, description=tip)
        case "entries":
            found[field.name] = bpy.props.CollectionProperty(type=groups[field.name], name=label, description=tip)
            found[f"active_{field.name}"] = bpy.props.IntProperty(options={"HIDDEN"})
        case "clearances":
            found[field.name] = bpy.props.CollectionProperty(type=ClearanceSettings, name=label, description=tip)
    return found


def _text(label: str, tip: str, **options: Any) -> Any:
    return bpy.props.StringProperty(name=label, description=tip, update=changed, **options)


def _instead(field: Field) -> Callable[[Any, Any], None]:
    """What happens when a field is switched on by hand that cannot be there beside another."""

    def update(group: Any, context: Any) -> None:
        if is_quiet():
            return
        if getattr(group, f"use_{field.name}"):
            with quiet():
                setattr(group, f"use_{field.instead_of}", False)
        changed()

    return update


def _quantity(field: Field, name: str, label: str, tip: str) -> dict[str, Any]:
    """A quantity's fixed value, and what its random forms need."""
    middle = quantities.middle(field, field.default)
    state = {**quantities.spread_about(field, middle), "": middle, **quantities.state_of(field, field.default)}
    found = {
        name: _plain(field, label, tip, state[""], bounded=True, whole=field.whole),
        f"{name}_form": bpy.props.EnumProperty(
            name=label,
            description=compose("How {} differs from frame to frame", label),
            items=quantities.FORMS,
            default=state["form"],
            update=_form_update(field, name),
        ),
        f"{name}_values": bpy.props.StringProperty(
            name="Values",
            description=compose("{}: numbers with commas between them", tip),
            default=state.get("values", ""),
            update=changed,
        ),
        f"{name}_clipped": bpy.props.BoolProperty(
            name="Clip", description="Keep within two ends", default=state.get("clipped", True), update=changed
        ),
    }  # fmt: skip
    for part, part_label, part_tip in (
        ("low", "Min", "{}: the least"),
        ("high", "Max", "{}: the most"),
    ):
        found[f"{name}_{part}"] = _plain(
            field, part_label, compose(part_tip, tip), state[part], bounded=True, whole=field.whole
        )
    found[f"{name}_mean"] = _plain(
        field, "Mean", compose("{}: on average", tip), state["mean"], bounded=False, whole=False
    )
    found[f"{name}_deviation"] = _plain(
        field,
        "Deviation",
        compose("{}: standard deviation", tip),
        state["deviation"],
        bounded=False,
        whole=False,
        least=0.0,
    )
    return found


def _plain(
    field: Field, label: str, tip: str, default: float, *, bounded: bool, whole: bool, least: float | None = None
) -> Any:
    """A property for one number of a quantity."""
    scale = quantities.factor(field.name)
    low, high, soft_low, soft_high = (
        None if bound is None else bound * scale for bound in (field.low, field.high, field.soft_low, field.soft_high)
    )
    options: dict[str, Any] = {"name": label, "description": tip, "update": changed}
    if bounded and low is not None and high is not None and high < 1e9:
        options |= {"min": low, "max": high}
    elif least is not None:
        options["min"] = least
    if soft_low is not None and soft_high is not None and soft_high < 1e9:
        options |= {"soft_min": max(soft_low, options.get("min", soft_low)), "soft_max": soft_high}
    if whole:
        whole_options = {key: int(value) if key.endswith(("min", "max")) else value for key, value in options.items()}
        return bpy.props.IntProperty(default=int(default), **whole_options)
    return bpy.props.FloatProperty(default=default, **options, **_shown_as(field, bounded=bounded))


def _shown_as(field: Field, *, bounded: bool) -> dict[str, Any]:
    """Blender's own unit and subtype for a field, where it has them."""
    if field.name.endswith("_degrees"):
        return {"subtype": "ANGLE", "precision": 2, "step": 100}
    if field.name.endswith("_mm") and not field.name.endswith("_per_mm"):
        return {"unit": "CAMERA", "precision": 3, "step": 10}
    if field.name.endswith("_w"):
        return {"unit": "POWER", "precision": 3, "step": 10}
    if field.name.endswith("_px"):
        return {"subtype": "PIXEL", "precision": 2, "step": 10}
    if (field.low, field.high) == (0, 1) and bounded:
        return {"subtype": "FACTOR", "precision": 3}
    reach = field.soft_high or 1.0
    return {"precision": 3 if reach < 20 else 2 if reach < 200 else 1, "step": 10}


def _number(field: Field, label: str, tip: str, default: float) -> Any:
    kept = quantities.kept(field, default)
    return _plain(field, label, tip, kept, bounded=True, whole=field.whole)


def _colour(field: Field, label: str, tip: str) -> dict[str, Any]:
    """A colour swatch, and three quantities for a colour that differs from frame to frame."""
    default = [entry if not isinstance(entry, dict) else 0.5 for entry in field.default]
    found = {
        field.name: bpy.props.FloatVectorProperty(
            name=label, description=tip, subtype="COLOR", size=3, min=0.0, max=1.0, default=default, update=changed
        ),
        f"{field.name}_varies": bpy.props.BoolProperty(
            name="Vary",
            description=compose("{}: let red, green and blue differ from frame to frame", label),
            update=changed,
        ),
    }
    for channel, value in zip(CHANNELS, field.default, strict=True):
        quantity = Field(f"{field.name}_{channel}", "quantity", 0.0, 1.0, 0.0, 1.0, default=value)
        found |= _quantity(quantity, quantity.name, channel.capitalize(), compose("{}: " + channel, tip))
    return found


def channels(field: Field) -> tuple[Field, Field, Field]:
    """The three quantities of a colour."""
    red, green, blue = (
        Field(f"{field.name}_{channel}", "quantity", 0.0, 1.0, 0.0, 1.0, default=0.5) for channel in CHANNELS
    )
    return red, green, blue


def _form_update(field: Field, name: str) -> Callable[[Any, Any], None]:
    """What happens when a quantity's form is changed by hand: the new form begins where the old one was."""

    def update(group: Any, context: Any) -> None:
        if is_quiet():
            return
        form, value = getattr(group, f"{name}_form"), getattr(group, name)
        low, high = getattr(group, f"{name}_low"), getattr(group, f"{name}_high")
        with quiet():
            if form == quantities.FIXED:
                if not low <= value <= high:
                    setattr(group, name, type(value)((low + high) / 2))
            elif form == quantities.CHOICE:
                if not getattr(group, f"{name}_values"):
                    setattr(group, f"{name}_values", quantities.text(quantities.read(field, value)))
            elif not low <= value <= high or low == high or (form == quantities.LOG_UNIFORM and low <= 0):
                for part, number in quantities.spread_about(field, value).items():
                    setattr(group, f"{name}_{part}", number)
        changed()

    return update
