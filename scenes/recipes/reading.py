"""Recipe files: found by name or path, and their YAML read without harm."""

import difflib
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import yaml

from procgen.errors import BlemishError
from scenes.quantities.distribution import shown

PRESETS = Path(__file__).parent / "presets"
RECIPE_BYTES_LIMIT = 256 << 10
MOST_VALUES = 20_000  # of a file, each alias counted as all that it stands for
DEEPEST = 50  # nested lists and mappings
LONGEST_NUMBER = 1000  # characters; Python refuses to write integers of more than 4300 digits
YAML_TAG = "tag:yaml.org,2002:"
PLAIN_TAGS = ("str", "int", "float", "bool", "null", "seq", "map")
EXPONENT = re.compile(r"^[-+]?(\d[\d_]*\.?[\d_]*|\.\d+)[eE][-+]?\d+$")
MOST_EXACT = 2.0**53  # below which every whole number is a double


class RecipeError(BlemishError):
    """A recipe that cannot be used; the message has one line per problem, also in `problems`."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))


def shipped_recipes() -> tuple[str, ...]:
    """Names of the recipes that come with Blemish."""
    return tuple(sorted(path.stem for path in PRESETS.glob("*.yaml")))


def recipe_path(name_or_path: str | Path) -> Path:
    """The file behind a shipped recipe's name or a path. Raises RecipeError where there is none."""
    text = str(name_or_path)
    if text in shipped_recipes():
        return PRESETS / f"{text}.yaml"
    path = Path(name_or_path)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):
        near = difflib.get_close_matches(text, shipped_recipes(), 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        shipped = ", ".join(shipped_recipes())
        raise RecipeError(text, [f"no such file and no such recipe{hint} (shipped: {shipped})"]) from None
    except OSError as error:
        raise RecipeError(text, [f"cannot be read ({error.strerror}); expected a file you may read"]) from None
    if stat.S_ISDIR(mode):
        raise RecipeError(text, ["found a folder; expected a YAML file or the name of a shipped recipe"])
    if not stat.S_ISREG(mode):  # a pipe might never give anything, a device never end
        raise RecipeError(text, ["found a pipe or a device; expected a YAML file"])
    return path


def recipe_text(name_or_path: str | Path) -> str:
    """What a recipe's file holds. Raises RecipeError where it is no text of a recipe's size."""
    source = str(name_or_path)
    try:
        with recipe_path(name_or_path).open("rb") as file:
            content = file.read(RECIPE_BYTES_LIMIT + 1)
        if len(content) > RECIPE_BYTES_LIMIT:
            limit = f"{RECIPE_BYTES_LIMIT >> 10} KiB"
            raise RecipeError(source, [f"found a larger file; expected a recipe of at most {limit}"])
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise RecipeError(source, ["found bytes that are not UTF-8 text; expected a YAML file"]) from None
    except OSError as error:
        raise RecipeError(source, [f"cannot be read ({error.strerror}); expected a file you may read"]) from None


def recipe_fields(name_or_path: str | Path) -> object:
    """What the YAML of a shipped recipe or a file says, unchecked. Raises RecipeError where it is not valid YAML."""
    return fields_of(recipe_text(name_or_path), str(name_or_path))


class _Loader(yaml.SafeLoader):
    """Plain YAML: no tags but those of texts, numbers, lists and mappings, nothing without end, no key written twice.

    An alias counts as all that it stands for, so that a few lines cannot unfold into millions of values. 5e-3 is a
    number, as in YAML 1.2 and to people, and a date is a text. Every refusal says its line and column.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.values = self.depth = 0
        self.unfolded: dict[int, int] = {}  # how many values a node, known by its id, stands for

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        self.depth += 1
        if self.depth > DEEPEST:
            raise _at(event, f"found brackets nested more than {DEEPEST} deep; expected a recipe's few levels")
        before = self.values
        node = super().compose_node(parent, index)
        if not isinstance(event, yaml.AliasEvent):
            self.values += 1
            self.unfolded[id(node)] = self.values - before
        elif id(node) in self.unfolded:
            self.values += self.unfolded[id(node)]
        else:
            raise _at(event, f"found *{event.anchor} within what it stands for; expected an end")
        if self.values > MOST_VALUES:
            raise _at(event, f"found more than {MOST_VALUES} values up to here; expected a recipe's few")
        self.depth -= 1
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise _at(key, f"found the field {shown(key.value)} a second time")
            seen.add(key.value)
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        kind = node.tag.removeprefix(YAML_TAG)
        if kind not in PLAIN_TAGS:
            tag = shown(node.tag.replace(YAML_TAG, "!!"))
            raise _at(node, f"found the tag {tag}; expected plain texts, numbers, lists and mappings")
        if kind in ("int", "float") and len(node.value) > LONGEST_NUMBER:
            raise _at(node, f"found a number of {len(node.value)} characters; expected at most {LONGEST_NUMBER}")
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError):  # of a text that is not what its tag says
            raise _at(node, f"found {shown(node.value)}; expected what its tag !!{kind} says") from None


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag != f"{YAML_TAG}timestamp"]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(f"{YAML_TAG}float", EXPONENT, list("-+.0123456789"))


def _at(place: Any, found: str) -> yaml.MarkedYAMLError:
    """The refusal of an event or a node."""
    return yaml.MarkedYAMLError(problem=found, problem_mark=place.start_mark)


def fields_of(text: str, source: str) -> object:
    """What the YAML of a text says, unchecked. Raises RecipeError, which calls it `source`, where it is not valid."""
    try:
        return cast(object, yaml.load(text, _Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise RecipeError(source, [f"{where}not valid YAML: {error.problem or error.context}"]) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        where = f"line {before.count(chr(10)) + 1}, column {error.position - before.rfind(chr(10))}"
        raise RecipeError(source, [f"{where}: found the character {text[error.position]!a}; expected text"]) from None


def as_yaml(fields: dict[str, Any]) -> str:
    """A recipe's fields, or a piece of them, as YAML that `recipe_fields` reads; whole numbers without a point."""
    return yaml.safe_dump(_plain(fields), sort_keys=False, default_flow_style=None, allow_unicode=True)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    whole = isinstance(value, float) and value == int(value) and abs(value) < MOST_EXACT
    return int(value) if whole else value
