"""Python and YAML in the pages: it parses, its imports resolve, and its calls fit what is called."""

import ast
import inspect
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from tests.docs.pages import PAGES, fenced, name

OWN = {"anomaly", "blender_addon", "diffusion_refine", "procgen", "scenes"}
BLOCKS = [pytest.param(page, code, id=name(page)) for page in PAGES for code in fenced(page, "python")]


@pytest.mark.parametrize(("page", "code"), BLOCKS)
def test_python_blocks_fit_the_code(page: Path, code: str) -> None:
    tree = ast.parse(code)
    compile(tree, name(page), "exec")
    known: dict[str, object] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or node.module is None:
            continue
        package = node.module.partition(".")[0]
        if package not in OWN:
            assert find_spec(package), f"{name(page)} imports {package}, which is not installed"
            continue
        module = import_module(node.module)
        for alias in node.names:
            assert hasattr(module, alias.name), f"{name(page)}: {node.module} has no {alias.name}"
            known[alias.asname or alias.name] = getattr(module, alias.name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and callable(known.get(node.func.id)):
            fits(known[node.func.id], node, name(page))


def fits(called: object, call: ast.Call, page: str) -> None:
    """Raise where a call's arguments do not fit the signature."""
    if any(isinstance(argument, ast.Starred) for argument in call.args):
        return
    named = {keyword.arg: None for keyword in call.keywords if keyword.arg}
    try:
        inspect.signature(called).bind(*call.args, **named)  # type: ignore[arg-type]
    except TypeError as error:
        pytest.fail(f"{page}: {ast.unparse(call)}: {error}")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_yaml_blocks_parse(page: Path) -> None:
    for code in fenced(page, "yaml"):
        assert isinstance(yaml.safe_load(code), dict)


def test_the_search_finds_what_it_is_for() -> None:
    assert len(BLOCKS) >= 4
    call = ast.parse("load_recipe('plate', frames=1)").body[0].value  # type: ignore[attr-defined]
    with pytest.raises(pytest.fail.Exception, match="frames"):
        fits(import_module("scenes").load_recipe, call, "page")
