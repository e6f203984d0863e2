"""Other quantities in the text of a recipe, which keeps its comments and all else that its author wrote."""

from __future__ import annotations

import math
from collections.abc import Mapping

import yaml

from scenes.quantities.distribution import Distribution
from scenes.recipes.paths import Quantity
from scenes.recipes.reading import RecipeError


def rewritten(text: str, quantities: Mapping[str, Quantity], source: str) -> str:
    """The text of a recipe with other quantities at some paths; one that the text leaves to its default is added.

    source: what errors call the text. Raises RecipeError where a path leads through what is no mapping or list.
    """
    root = yaml.compose(text, yaml.SafeLoader)
    edits: list[tuple[int, int, str]] = []
    for path, quantity in quantities.items():
        said = quantity.written() if isinstance(quantity, Distribution) else quantity
        value = yaml.safe_dump(said, default_flow_style=True, sort_keys=False, width=math.inf).splitlines()[0]
        section, name = _holder(root, path, source)
        found = _entry(section, name)
        if found is not None:
            edits.append((found.start_mark.index, _end(found), value))
        elif isinstance(section, yaml.MappingNode) and section.value and not section.flow_style:
            first = section.value[0][0].start_mark
            edits.append((first.index, first.index, f"{name}: {value}\n{' ' * first.column}"))
        else:
            raise RecipeError(source, [f"{path}: found a section in brackets without it; write it there"])
    for start, end, value in sorted(edits, reverse=True):
        text = text[:start] + value + text[end:]
    return text


def _holder(root: yaml.Node | None, path: str, source: str) -> tuple[yaml.Node, str]:
    """The section that holds what a path ends in."""
    *sections, name = path.split(".")
    here = root
    for section in sections:
        here = _entry(here, section)
    if here is None:
        raise RecipeError(source, [f"{path}: found nothing there to write it into; expected its section"])
    return here, name


def _entry(node: yaml.Node | None, name: str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == name), None)
    if isinstance(node, yaml.SequenceNode) and name.isdigit() and int(name) < len(node.value):
        entry: yaml.Node = node.value[int(name)]
        return entry
    return None


def _end(node: yaml.Node) -> int:
    """Where a node ends; a block of lines without the line end after its last."""
    end: int = node.end_mark.index
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return end
