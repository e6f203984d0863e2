"""What a recipe can say, as the panel's properties need it: read from a file, so that registering imports no model.

The file is written from the recipe's own models by `python -m blender_addon.ui.schema`; a test holds it to them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

FILE = Path(__file__).with_name("schema.json")
FIRST = {"resolution": [640, 512]}  # instead of the example's, which is for small pictures of the catalogue
OTHER_DEFAULTS = {"f_number": 4.0, "working_distance_mm": 300.0}  # of what no shipped recipe switches on
CATALOGUE = ("part", "finish", "defects", "impurities")  # fields of a recipe that name kinds
SOFT_BEYOND = 3.0  # what a slider reaches, over the largest value in any shipped recipe

Sort = Literal["quantity", "colour", "number", "pair", "flag", "choice", "text", "section", "clearances"]


# Optional fields that are there exactly when another field says so: (section, field) -> that and its values.
FOLLOWS = {
    ("placement", "reach_mm"): ("kind", ("edge",)),
    ("placement", "of"): ("kind", ("at", "along")),
    ("crack", "length_mm"): ("origin", ("anywhere", "edge", "ends")),
}


@dataclass(frozen=True)
class Field:
    """One field of a section.

    low, high: what it may be; soft_low, soft_high: what its slider reaches. whole: whole numbers only. optional: may be
    absent, and is at first unless `given`. default: what the panel begins with, as a recipe writes it: the value that
    the example of the kind has, or else the model's own. choices: of a choice.
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


@dataclass(frozen=True)
class SectionFields:
    """One section of a recipe: the kinds that it can be, where it stands, and its fields but for `kind`."""

    key: str
    group: str
    kinds: tuple[str, ...]
    class_name: str | None
    fields: tuple[Field, ...]


@lru_cache(maxsize=1)
def sections() -> dict[str, SectionFields]:
    """Every section by its key, which is the first of its kinds, as the file has them."""
    return from_json(FILE.read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def section_of_kind() -> dict[str, SectionFields]:
    """Kind of part, finish, defect or impurity -> its section."""
    return {kind: section for section in sections().values() if section.group in CATALOGUE for kind in section.kinds}


def is_used(section: str, field: Field, group: Any) -> bool:
    """Whether an optional field of a section's group is there: by its switch, or as another field has it."""
    if not field.optional:
        return True
    if (section, field.name) in FOLLOWS:
        other, values = FOLLOWS[section, field.name]
        return getattr(group, other) in values
    return bool(getattr(group, f"use_{field.name}"))


def kinds_in(group: str) -> tuple[str, ...]:
    """The kinds of a field of the recipe (part, finish, defects or impurities), alphabetical."""
    return tuple(sorted(kind for section in sections().values() if section.group == group for kind in section.kinds))


def to_json(described: dict[str, SectionFields]) -> str:
    """One line a field, so that changes can be read."""
    blocks = []
    for section in described.values():
        head = {key: value for key, value in asdict(section).items() if key not in ("key", "fields")}
        lines = [
            "   " + json.dumps({key: value for key, value in asdict(field).items() if not _absent(value)})
            for field in section.fields
        ]
        blocks.append(
            f" {json.dumps(section.key)}: {json.dumps(head)[:-1]}, " + '"fields": [\n' + ",\n".join(lines) + "\n ]}"
        )
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def _absent(value: Any) -> bool:
    return value is None or value is False or value == ()


def from_json(text: str) -> dict[str, SectionFields]:
    """The inverse of `to_json`."""
    return {
        key: SectionFields(
            key=key,
            group=section["group"],
            kinds=tuple(section["kinds"]),
            class_name=section["class_name"],
            fields=tuple(Field(**{**field, "choices": tuple(field.get("choices", ()))}) for field in section["fields"]),
        )
        for key, section in json.loads(text).items()
    }


def described() -> dict[str, SectionFields]:
    """Every section as the recipe's models have it. Raises TypeError for a field that the panel has no property for."""
    from scenes.catalogue.placement.sites import Placement
    from scenes.recipes.examples import catalogue
    from scenes.recipes.recipe import CameraRecipe, RingLightRecipe, SensorRecipe

    seen = _seen_values()
    found: dict[str, SectionFields] = {}
    for group, kinds in catalogue().items():
        for model in dict.fromkeys(kinds.values()):
            section = _section(str(group), model, seen)
            found[section.key] = section
    for part, model in (("light", RingLightRecipe), ("camera", CameraRecipe), ("sensor", SensorRecipe)):
        found[part] = _section(part, model, seen, key=part)
    found["placement"] = _section("placement", Placement, seen, key="placement")
    return found


def _section(group: str, model: Any, seen: Seen, key: str = "") -> SectionFields:
    kinds = () if "kind" not in model.model_fields else get_args(model.model_fields["kind"].annotation)
    written_as, key = ((key,) if key else kinds), key or kinds[0]
    fields = []
    for name, info in model.model_fields.items():
        if name != "kind" or key == "placement":
            values = [value for word in written_as for value in seen.all.get((word, name), [])]
            firsts = [value for word in written_as for value in seen.own.get((word, name), [])]
            fields.append(_field(name, info, values, firsts[0] if firsts else None))
    class_name = getattr(model, "class_name", None)
    return SectionFields(key, group, kinds, class_name, tuple(fields))


def _field(name: str, info: Any, seen: list[Any], first: Any) -> Field:
    """The panel's view of a model's field; seen: what shipped recipes write there; first: what the example does."""
    from scenes.quantities.distribution import Distribution, Within
    from scenes.quantities.recipe_model import RecipeModel

    annotation, metadata = info.annotation, list(info.metadata)
    optional = type(None) in get_args(annotation)
    if optional:
        (annotation,) = (argument for argument in get_args(annotation) if argument is not type(None))
        annotation, metadata = _stripped(annotation, metadata)
    own = _written(None if info.is_required() else info.get_default(call_default_factory=True))
    default = FIRST.get(name, own if first is None else first)
    given = optional and default is not None
    shared: dict[str, Any] = {"name": name, "optional": optional, "given": given}
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
    if get_origin(annotation) is tuple:
        inner, metadata = _stripped(get_args(annotation)[0], [])
        if inner is Distribution and len(get_args(annotation)) == 3:
            return Field(sort="colour", low=0.0, high=1.0, default=default, **shared)
        if inner is int and len(get_args(annotation)) == 2:
            low, high = _bounds(metadata)
            return Field(sort="pair", low=low, high=high, whole=True, default=default, **shared)
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
    for path in (*sorted(KINDS.glob("*.yaml")), *sorted(PRESETS.glob("*.yaml"))):
        fields = recipe_fields(path)
        assert isinstance(fields, dict)
        for group, value in fields.items():
            for entry in value if isinstance(value, list) else [value]:
                if isinstance(entry, dict):
                    kind = group if group in ("light", "camera", "sensor") else str(entry.get("kind"))
                    found.note(kind, entry, own=path == STAGE or path.stem == kind)
    return found


if __name__ == "__main__":
    FILE.write_text(to_json(described()), encoding="utf-8")
