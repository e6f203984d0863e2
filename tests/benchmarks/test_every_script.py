"""That every benchmark and tool can still be loaded: what they measure changes its names now and then."""

import importlib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = [
    f"{folder}.{path.stem}" for folder in ("benchmarks", "tools") for path in sorted((REPOSITORY / folder).glob("*.py"))
]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_finds_all_that_it_names(script: str) -> None:
    assert importlib.import_module(script).__doc__
