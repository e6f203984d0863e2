"""What a recipe can say, as the panel's properties need it: read from a file, so that registering imports no model.

The file is written from the recipe's own models by `make catalogue`; a test holds it to them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

FILE = Path(__file__).with_name("schema.json")
FIRST = {"resolution": [640, 512]}  # instead of the example's, which is for small pictures of the catalogue
OTHER_DEFAULTS = {  # of what no shipped recipe switches on
    "f_number": 4.0,
    "jpeg_quality": 90,
    "magnification": 0.1,
    "threshold": 0.5,
    "white_balance_kelvin": 6504.0,
    "working_distance_mm": 300.0,
}
SCENE = "scene"  # the group of the sections on a scene of the user; they are named after their fields
# What the panel begins with where something of such a scene is switched on, section by section as a recipe writes it.
EXAMPLE: dict[str, dict[str, Any]] = {
    "scene": {"camera_frame": {"uniform": [1, 250]}},
    "pose": {
        "shift_x_mm": {"uniform": [-5, 5]},
        "shift_y_mm": {"uniform": [-5, 5]},
        "shift_z_mm": {"uniform": [0, 5]},
        "turn_x_degrees": {"uniform": [-10, 10]},
        "turn_y_degrees": {"uniform": [-10, 10]},
        "turn_z_degrees": {"uniform": [0, 360]},
    },
    "conveyor": {
        "travel_mm": {"uniform": [-50, 50]},
        "along_mm": {"uniform": [-5, 5]},
        "across_mm": {"uniform": [-5, 5]},
        "turn_degrees": {"uniform": [0, 360]},
    },
    "resting": {"count": {"uniform": [5, 20]}},
    "lights": {
        "strength": {"uniform": [0.5, 1.5]},
        "tint": [1.0, 0.9, 0.8],
        "temperature_kelvin": {"uniform": [3000, 6500]},
        "turn_degrees": {"uniform": [0, 360]},
    },
    "world": {"turn_degrees": {"uniform": [0, 360]}, "strength": {"uniform": [0.5, 1.5]}},
    "clutter": {"probability": 0.5},
}
LIGHT, RING = "light", "ring"  # the kind of light that there was alone, whose settings have no other name in a .blend
CATALOGUE = ("part", "finish", "defects", "impurities")  # fields of a recipe that name kinds
SOFT_BEYOND = 3.0  # what a slider reaches, over the largest value in any shipped recipe

Sort = Literal[
    "quantity", "colour", "number", "pair", "flag", "choice", "text", "section", "clearances",
    "names", "word", "folder", "entries",
]  # fmt: skip

SHOWN_BY_BLENDER = ("mm", "°", "px", "W")  # units that its own fields have


@dataclass(frozen=True)
class Field:
    """One field of a section.

    title, tooltip: what the panel says of it. unit: its symbol; nothing for a bare number. low, high: what it may be;
    soft_low, soft_high: what its slider reaches. whole: whole numbers only. optional: may be absent, and is at first
    unless `given`. default: what the panel begins with, as a recipe writes it: the value that the example of the kind
    has, or else the model's own. choices: of a choice. follows: another field of the section; this one is there exactly
    while that has one of the values `when`. neutral: of a quantity that the panel has a switch for, though a recipe has
    none: what it is while that is off, which changes nothing. instead_of: an optional field that cannot be there beside
    this one.

    sort: names is a list of names or patterns, of which there must be `low`; word one of `choices` or such a list;
    section and entries one, or any number, of the section that is called like the field.
    """

    name: str
    sort: Sort
    low: float | None = None
    high: float | None = None
    soft_low: float | None = None
    soft_high: float | None = None
    whole: bool = False
    optional: bool = False
    given: bool = False
    default: Any = None
    choices: tuple[str | int, ...] = ()
    title: str = ""
    tooltip: str = ""
    unit: str = ""
    follows: str = ""
    when: tuple[str, ...] = ()
    neutral: float | None = None
    instead_of: str = ""

    @property
    def panel_unit(self) -> str:
        """The unit where Blender does not show it by itself; otherwise nothing."""
        return "" if self.unit in SHOWN_BY_BLENDER else self.unit

    @property
    def label(self) -> str:
        """The title with such a unit."""
        return f"{self.title} ({self.panel_unit})" if self.panel_unit else self.title


@dataclass(frozen=True)
class Kind:
    """A kind of part, finish, defect or impurity: its title and tooltip, what it requires of the part, and provides."""

    title: str
    tooltip: str
    requires: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()


@dataclass(frozen=True)
class SectionFields:
    """One section of a recipe: the kinds that it can be, where it stands, and its fields but for `kind`."""

    key: str
    group: str
    kinds: tuple[str, ...]
    class_name: str | None
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Schema:
    """Every kind by its name, every section by its key, and a recipe's own fields.

    The key of a section is the first of its kinds, or its field; of lights, whose kinds are named as parts are, see
    `light_key`.
    """

    kinds: dict[str, Kind]
    lights: dict[str, Kind]
    sections: dict[str, SectionFields]
    recipe: tuple[Field, ...]


@lru_cache(maxsize=1)
def schema() -> Schema:
    """The schema as the file has it."""
    return from_json(FILE.read_text(encoding="utf-8"))


def sections() -> dict[str, SectionFields]:
    """Every section by its key."""
    return schema().sections


@lru_cache(maxsize=1)
def section_of_kind() -> dict[str, SectionFields]:
    """Kind of part, finish, defect or impurity -> its section."""
    return {kind: section for section in sections().values() if section.group in CATALOGUE for kind in section.kinds}


def recipe_field(name: str) -> Field:
    """A field of the recipe itself: name or texel_um."""
    return next(field for field in schema().recipe if field.name == name)


def light_key(kind: str) -> str:
    """The key of the section of a kind of light."""
    return LIGHT if kind == RING else f"{LIGHT}_{kind}"


def light_section(kind: str) -> SectionFields:
    """The section of a kind of light."""
    return sections()[light_key(kind)]


def title_of(kind: str) -> str:
    """The title of a kind, or of what is none by its name."""
    known = schema().kinds.get(kind)
    return kind.replace("_", " ").capitalize() if known is None else known.title


def tooltip_of(kind: str) -> str:
    """What a kind is."""
    return schema().kinds[kind].tooltip


def missing_on(part: str, kind: str) -> tuple[str, ...]:
    """What a kind requires that a kind of part lacks."""
    kinds = schema().kinds
    return tuple(need for need in kinds[kind].requires if need not in kinds[part].provides)


def is_special(kind: str) -> bool:
    """Whether some kinds of part lack what a kind requires."""
    return any(missing_on(part, kind) for part in kinds_in("part"))


def parts_with(need: str) -> tuple[str, ...]:
    """Kinds of part that provide what others require."""
    return tuple(kind for kind in kinds_in("part") if need in schema().kinds[kind].provides)


def is_used(field: Field, group: Any) -> bool:
    """Whether an optional field of a section's group is there: by its switch, or as another field has it."""
    if not field.optional:
        return True
    if field.follows:
        return getattr(group, field.follows) in field.when
    return bool(getattr(group, f"use_{field.name}"))


def kinds_in(group: str) -> tuple[str, ...]:
    """The kinds of a field of the recipe (part, finish, defects or impurities), alphabetical."""
    return tuple(sorted(kind for section in sections().values() if section.group == group for kind in section.kinds))


def to_json(described: Schema) -> str:
    """One line a kind and a field, so that changes can be read."""
    kinds = [f"  {json.dumps(kind)}: {_line(what)}" for kind, what in described.kinds.items()]
    blocks = []
    for section in described.sections.values():
        head = {key: value for key, value in asdict(section).items() if key not in ("key", "fields")}
        lines = ",\n".join(f"    {_line(field)}" for field in section.fields)
        blocks.append(f'  {json.dumps(section.key)}: {json.dumps(head)[:-1]}, "fields": [\n{lines}\n  ]}}')
    recipe = ",\n".join(f"  {_line(field)}" for field in described.recipe)
    lights = [f"  {json.dumps(kind)}: {_line(what)}" for kind, what in described.lights.items()]
    return (
        '{\n "kinds": {\n'
        + ",\n".join(kinds)
        + '\n },\n "lights": {\n'
        + ",\n".join(lights)
        + '\n },\n "sections": {\n'
        + ",\n".join(blocks)
        + "\n },\n"
        ' "recipe": [\n' + recipe + "\n ]\n}\n"
    )


def _line(described: Kind | Field) -> str:
    told = {key: value for key, value in asdict(described).items() if not _absent(key, value)}
    return json.dumps(told, ensure_ascii=False)


def _absent(key: str, value: Any) -> bool:
    return value is None or value is False or value == () or (value == "" and key != "default")


def from_json(text: str) -> Schema:
    """The inverse of `to_json`."""
    read = json.loads(text)
    return Schema(
        kinds={kind: Kind(**_tuples(what)) for kind, what in read["kinds"].items()},
        lights={kind: Kind(**_tuples(what)) for kind, what in read["lights"].items()},
        sections={
            key: SectionFields(
                key=key,
                group=section["group"],
                kinds=tuple(section["kinds"]),
                class_name=section["class_name"],
                fields=tuple(Field(**_tuples(field)) for field in section["fields"]),
            )
            for key, section in read["sections"].items()
        },
        recipe=tuple(Field(**_tuples(field)) for field in read["recipe"]),
    )


def _tuples(read: dict[str, Any]) -> dict[str, Any]:
    """With tuples for the lists that JSON has, but for defaults, which stay as recipes write them."""
    return {key: tuple(value) if isinstance(value, list) and key != "default" else value for key, value in read.items()}


def described() -> Schema:
    """The schema as the catalogue and the recipe's models have it.

    Raises TypeError for a field that the panel has no property for.
    """
    from scenes.catalogue.placement.sites import Placement
    from scenes.catalogue.registry import GROUPS, LIGHTS
    from scenes.own_scene import section as own
    from scenes.recipes.camera import CameraRecipe
    from scenes.recipes.recipe import Recipe, SensorRecipe

    seen = _seen_values()
    kinds: dict[str, Kind] = {}
    found: dict[str, SectionFields] = {}
    for group, entries in GROUPS.items():
        if group == LIGHT:
            continue
        named = [entry for entry in entries.values() if entry.recipe is not None]
        for entry in named:
            provides = sorted(getattr(entry, "provides", ()))
            kinds[entry.kind] = Kind(entry.title, entry.tooltip, tuple(sorted(entry.requires)), tuple(provides))
        for model in dict.fromkeys(entry.recipe for entry in named):
            section = _section(str(group), model, seen)
            found[section.key] = section
    for kind, light in LIGHTS.items():
        found[light_key(kind)] = _section(LIGHT, light.recipe, seen, key=light_key(kind))
    for part, model in (("camera", CameraRecipe), ("sensor", SensorRecipe)):
        found[part] = _section(part, model, seen, key=part)
    found["placement"] = _section("placement", Placement, seen, key="placement")
    for key, model in (
        ("pose", own.PoseRecipe),
        ("conveyor", own.ConveyorRecipe),
        ("resting", own.RestingRecipe),
        ("lights", own.LightsRecipe),
        ("world", own.WorldRecipe),
        ("clutter", own.ClutterRecipe),
        ("scene", own.OwnSceneRecipe),
    ):
        found[key] = _section(SCENE, model, seen, key=key)
    recipe = tuple(_field(name, Recipe.model_fields[name], [], None) for name in ("name", "texel_um"))
    lights = {kind: Kind(light.title, light.tooltip) for kind, light in LIGHTS.items()}
    return Schema(kinds, lights, found, recipe)


def _section(group: str, model: Any, seen: Seen, key: str = "") -> SectionFields:
    kinds = () if "kind" not in model.model_fields else get_args(model.model_fields["kind"].annotation)
    written_as, key = ((key,) if key else kinds), key or kinds[0]
    fields = []
    for name, info in model.model_fields.items():
        if name != "kind" or key == "placement":
            values = [value for word in written_as for value in seen.all.get((word, name), [])]
            firsts = [value for word in written_as for value in seen.own.get((word, name), [])]
            field = _field(name, info, values, firsts[0] if firsts else None)
            fields.append(_switchable(field, values) if group == SCENE else field)
    class_name = getattr(model, "class_name", None)
    return SectionFields(key, group, kinds, class_name, tuple(fields))


def _switchable(field: Field, seen: list[Any]) -> Field:
    """The field with a switch, if it is a quantity that changes nothing by default: a shift of 0, a factor of 1."""
    if field.sort != "quantity" or field.optional or field.default not in (0.0, 1.0):
        return field
    return replace(field, optional=True, neutral=field.default, default=seen[0])


def _field(name: str, info: Any, seen: list[Any], first: Any) -> Field:
    """The panel's view of a model's field; seen: what shipped recipes write there; first: what the example does."""
    from scenes.own_scene.folders import PictureFolderRecipe
    from scenes.quantities.distribution import Distribution, Within
    from scenes.quantities.recipe_model import RecipeModel
    from scenes.quantities.units import symbol_of, title_of

    annotation, metadata = info.annotation, list(info.metadata)
    optional = type(None) in get_args(annotation)
    if optional:
        (annotation,) = (argument for argument in get_args(annotation) if argument is not type(None))
        annotation, metadata = _stripped(annotation, metadata)
    own = _written(None if info.is_required() else info.get_default(call_default_factory=True))
    default = FIRST.get(name, own if first is None else first)
    given = optional and default is not None
    extra = info.json_schema_extra or {}
    ((follows, when),) = (extra.get("exactly_when") or {"": ()}).items()
    shared: dict[str, Any] = {
        "name": name, "title": info.title or title_of(name), "tooltip": info.description, "unit": symbol_of(name),
        "optional": optional, "given": given, "follows": follows, "when": tuple(when),
        "instead_of": extra.get("instead_of", ""),
    }  # fmt: skip
    if default is None:
        default = next((value for value in seen if value is not None), OTHER_DEFAULTS.get(name))
    if annotation is Distribution:
        bounds = next((entry for entry in metadata if isinstance(entry, Within)), Within(-1e9, 1e9))
        soft = _soft(bounds.low, bounds.high, [number for value in (*seen, default) for number in _numbers(value)])
        default = bounds.low if default is None else default
        return Field(
            sort="quantity", low=bounds.low, high=bounds.high, soft_low=soft[0], soft_high=soft[1],
            whole=bounds.whole, default=default, **shared,
        )  # fmt: skip
    if get_origin(annotation) is Literal:
        return Field(sort="choice", choices=get_args(annotation), default=default, **shared)
    if annotation is bool:
        return Field(sort="flag", default=default or None, **shared)
    if annotation in (int, float):
        low, high = _bounds(metadata)
        soft = _soft(low, high, [number for value in (*seen, default) for number in _numbers(value)])
        return Field(
            sort="number", low=low, high=high, soft_low=soft[0], soft_high=soft[1],
            whole=annotation is int, default=low if default is None else default, **shared,
        )  # fmt: skip
    if annotation is str:
        return Field(sort="text", default=own or "", **shared)
    if words := next((part for part in get_args(annotation) if get_origin(part) is Literal), None):
        return Field(sort="word", choices=get_args(words), default=default, **shared)
    if get_origin(annotation) is tuple and get_args(annotation)[-1] is Ellipsis:
        inner, _ = _stripped(get_args(annotation)[0], [])
        if inner is str:
            return Field(sort="names", low=_least_length(metadata), **shared)
        if issubclass(inner, RecipeModel):
            return Field(sort="entries", **shared)
    elif get_origin(annotation) is tuple:
        inner, metadata = _stripped(get_args(annotation)[0], [])
        if inner is Distribution and len(get_args(annotation)) == 3:
            return Field(sort="colour", low=0.0, high=1.0, default=default, **shared)
        if inner is int and len(get_args(annotation)) == 2:
            low, high = _bounds(metadata)
            return Field(sort="pair", low=low, high=high, whole=True, default=default, **shared)
    if annotation is PictureFolderRecipe:
        return Field(sort="folder", **shared)
    if isinstance(annotation, type) and issubclass(annotation, RecipeModel):
        return Field(sort="section", **shared)
    if get_origin(annotation) is dict:
        low, high = _bounds(_stripped(get_args(annotation)[1], [])[1])
        return Field(sort="clearances", low=low, high=high, **shared)
    raise TypeError(f"the panel has no property for {name}: {annotation}")


def _stripped(annotation: Any, metadata: list[Any]) -> tuple[Any, list[Any]]:
    """A type without what is annotated to it, and that."""
    if hasattr(annotation, "__metadata__"):
        for entry in annotation.__metadata__:
            metadata = [*metadata, *getattr(entry, "metadata", [entry])]
        return annotation.__origin__, metadata
    return annotation, metadata


def _bounds(metadata: list[Any]) -> tuple[float, float]:
    low = next((getattr(entry, name) for entry in metadata for name in ("ge", "gt") if hasattr(entry, name)), -1e9)
    high = next((getattr(entry, name) for entry in metadata for name in ("le", "lt") if hasattr(entry, name)), 1e9)
    return float(low), float(high)


def _least_length(metadata: list[Any]) -> float | None:
    return next((float(entry.min_length) for entry in metadata if getattr(entry, "min_length", None)), None)


def _written(default: Any) -> Any:
    """A default as a recipe writes it."""
    if isinstance(default, tuple):
        return [_written(entry) for entry in default]
    return default.written() if hasattr(default, "written") else default


def _numbers(value: Any) -> Iterator[float]:
    """Every number in what a recipe writes."""
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield float(value)
    elif isinstance(value, dict):
        for entry in value.values():
            yield from _numbers(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _numbers(entry)


def _soft(low: float, high: float, seen: list[float]) -> tuple[float, float]:
    """What a slider reaches: the bounds, or where they are far, a round number well beyond everything seen."""
    if high - low <= 2.0 or not seen:
        return low, high
    if (low, high) == (-360.0, 360.0):
        return -180.0, 360.0
    reach = SOFT_BEYOND * max(abs(number) for number in seen) or 1.0
    decade = 10.0 ** math.floor(math.log10(reach))
    reach = next(step * decade for step in (1, 2, 5, 10) if step * decade >= reach)
    return max(low, -reach) if low < 0 and min(seen) < 0 else max(low, 0.0), min(high, reach)


@dataclass(frozen=True)
class Seen:
    """Values that shipped files write, (kind or section, field) -> values: of all, and of each kind's own example."""

    all: dict[tuple[str, str], list[Any]]
    own: dict[tuple[str, str], list[Any]]

    def note(self, key: str, written: dict[str, Any], *, own: bool) -> None:
        for name, value in written.items():
            self.all.setdefault((key, name), []).append(value)
            if own:
                self.own.setdefault((key, name), []).append(value)
        if isinstance(written.get("placement"), dict):
            self.note("placement", written["placement"], own=False)


def _seen_values() -> Seen:
    from scenes.recipes.examples import KINDS, STAGE
    from scenes.recipes.reading import PRESETS, recipe_fields

    found = Seen({}, {})
    for key, entry in EXAMPLE.items():
        found.note(key, entry, own=False)
    for path in (*sorted(KINDS.glob("*.yaml")), *sorted(PRESETS.glob("*.yaml"))):
        fields = recipe_fields(path)
        assert isinstance(fields, dict)
        for group, value in fields.items():
            for entry in value if isinstance(value, list) else [value]:
                if isinstance(entry, dict):
                    kind = group if group in ("camera", "sensor") else str(entry.get("kind"))
                    kind = light_key(kind) if group == LIGHT else kind
                    found.note(kind, entry, own=path == STAGE or path.stem == kind)
    return found


if __name__ == "__main__":
    FILE.write_text(to_json(described()), encoding="utf-8")
