"""Recipe files: found by name or path, and their YAML read without harm."""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import yaml

from procgen.errors import BlemishError

PRESETS = Path(__file__).parent / "presets"
RECIPE_BYTES_LIMIT = 1 << 20
MOST_EXACT = 2.0**53  # below which every whole number is a double

_EXPONENT = re.compile(r"^[-+]?(\d[\d_]*\.?[\d_]*|\.\d+)[eE][-+]?\d+$")


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
    if path.is_dir():
        raise RecipeError(text, ["found a folder; expected a YAML file or the name of a shipped recipe"])
    if not path.exists():
        near = difflib.get_close_matches(text, shipped_recipes(), 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise RecipeError(text, [f"no such file and no such recipe{hint} (shipped: {', '.join(shipped_recipes())})"])
    return path


def recipe_text(name_or_path: str | Path) -> str:
    """What a recipe's file holds. Raises RecipeError where it is no text of a recipe's size."""
    source = str(name_or_path)
    try:
        with recipe_path(name_or_path).open("rb") as file:
            content = file.read(RECIPE_BYTES_LIMIT + 1)  # of a device or a pipe, which tell no size, no more either
        if len(content) > RECIPE_BYTES_LIMIT:
            raise RecipeError(source, ["found more than that; expected a recipe of at most 1 MiB"])
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise RecipeError(source, ["found bytes that are not UTF-8 text; expected a YAML file"]) from None
    except OSError as error:
        raise RecipeError(source, [f"cannot be read ({error.strerror}); expected a file you may read"]) from None


def recipe_fields(name_or_path: str | Path) -> object:
    """What the YAML of a shipped recipe or a file says, unchecked. Raises RecipeError where it is not valid YAML."""
    return _yaml(recipe_text(name_or_path), str(name_or_path))


def _yaml(text: str, source: str) -> object:
    class Loader(yaml.SafeLoader):
        """Safe YAML that refuses a key written twice and reads 5e-3 as a number, as YAML 1.2 and people do."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen: set[str] = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode):
                    if key.value in seen:
                        raise yaml.constructor.ConstructorError(
                            None, None, f"found the field {key.value!r} a second time", key.start_mark
                        )
                    seen.add(key.value)
            return super().construct_mapping(node, deep)

    Loader.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+.0123456789"))
    try:
        return cast(object, yaml.load(text, Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise RecipeError(source, [f"{where}not valid YAML: {error.problem or error.context}"]) from None
    except yaml.YAMLError as error:
        raise RecipeError(source, [f"not valid YAML: {' '.join(str(error).split())}"]) from None
    except (ValueError, TypeError) as error:  # such as the date 2024-99-99
        raise RecipeError(source, [f"not valid YAML: {error}"]) from None
    except RecursionError:
        raise RecipeError(source, ["found brackets nested too deeply; expected a recipe's few levels"]) from None


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
