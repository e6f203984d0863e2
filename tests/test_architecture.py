"""The floors of the house: which package may import which, and that nothing random or timed comes from outside.

Reads the sources; imports none of them.
"""

import ast
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

# Own packages that each may import besides itself; the command knows the others by name only (`blemish.COMMANDS`).
MAY_IMPORT = {
    "procgen": set[str](),
    "scenes": {"procgen"},
    "blender_addon": {"procgen", "scenes"},
    "diffusion_refine": {"procgen", "scenes"},
    "anomaly": {"procgen", "scenes"},
    "blemish": {"procgen"},
}
BLENDER = {"bpy", "_cycles", "mathutils", "bmesh"}
LEARNING = {"torch", "torchvision", "torchmetrics", "lightning", "anomalib", "timm", "safetensors", "diffusers"}
LEARNING |= {"transformers", "tokenizers", "peft", "accelerate"}
COMMON = {"lazy_loader", "numpy", "scipy", "skimage", "numba"}
MODELS = {"pydantic", "pydantic_core", "rich", "typer", "yaml"}  # of recipes and commands
REPORTS = {"PIL", "jinja2", "markupsafe", "matplotlib"}
LIBRARIES = {
    "procgen": COMMON | {"PIL"},  # Pillow draws the numbers on stickers
    "scenes": COMMON | MODELS | {"PIL", "mapbox_earcut", "pycocotools", "tifffile", "trimesh", "xatlas"},
    "blender_addon": COMMON | BLENDER | {"rich", "typer"},
    "diffusion_refine": COMMON | LEARNING | MODELS | REPORTS,
    "anomaly": COMMON | LEARNING | MODELS | REPORTS,
    "blemish": {"typer", "pydantic"},
}

# The one generator of a program is state that any library may have moved; a clock differs from run to run.
FORBIDDEN = (
    "random", "random.*", "secrets", "secrets.*", "uuid", "uuid.*", "os.urandom",
    "numpy.random.*",
    "torch.manual_seed", "torch.seed", "torch.random.*",
    "time.time", "time.time_ns", "time.ctime", "time.localtime", "time.gmtime", "time.strftime",
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today",
)  # fmt: skip
GENERATORS = {f"numpy.random.{name}" for name in ("default_rng", "Generator", "SeedSequence", "BitGenerator", "PCG64")}
# torch, timm and diffusers initialise networks from the global generator only: in a fork, it is as it was afterwards.
EXCEPTIONS = {
    ("diffusion_refine/training/model_shapes.py", "torch.manual_seed"),
    ("diffusion_refine/training/model_shapes.py", "torch.random.fork_rng"),
    ("diffusion_refine/training/adapters.py", "torch.manual_seed"),
    ("diffusion_refine/training/adapters.py", "torch.random.fork_rng"),
    ("anomaly/backbone/extractor.py", "torch.manual_seed"),
    ("anomaly/backbone/extractor.py", "torch.random.fork_rng"),
}


def sources(package: str) -> list[Path]:
    single = REPOSITORY / f"{package}.py"
    return [single] if single.is_file() else sorted((REPOSITORY / package).rglob("*.py"))


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names of all modules that a file imports, wherever it does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


def used(tree: ast.AST) -> set[str]:
    """Dotted names of all that a file uses of the modules it imports, by their own names, whatever it calls them."""
    called: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                called[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            called |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}

    def dotted(node: ast.AST) -> str | None:
        if isinstance(node, ast.Name):
            return called.get(node.id)
        if isinstance(node, ast.Attribute) and (owner := dotted(node.value)):
            return f"{owner}.{node.attr}"
        return None

    return {*called.values(), *filter(None, map(dotted, ast.walk(tree)))}


def state_and_clocks(tree: ast.AST) -> set[str]:
    return {
        name for name in used(tree) if name not in GENERATORS and any(fnmatch(name, pattern) for pattern in FORBIDDEN)
    }


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_run_down_the_floors(package: str) -> None:
    allowed = MAY_IMPORT[package] | LIBRARIES[package] | {package, "__future__"} | sys.stdlib_module_names
    for path in sources(package):
        modules = {name.partition(".")[0] for name in imported(ast.parse(path.read_text(encoding="utf-8")))}
        assert modules <= allowed, f"{path.relative_to(REPOSITORY)} imports {sorted(modules - allowed)}"


def test_the_top_floor_meets_in_datasets_only() -> None:
    top = {"blender_addon", "diffusion_refine", "anomaly"}
    assert all(MAY_IMPORT[package].isdisjoint(top) for package in MAY_IMPORT)
    for package in ("procgen", "scenes", "anomaly", "blemish"):
        assert LIBRARIES[package].isdisjoint({"bpy"})
    for package in ("procgen", "scenes", "blender_addon", "blemish"):
        assert LIBRARIES[package].isdisjoint(LEARNING)


def test_nothing_random_or_timed_comes_from_global_state() -> None:
    found = {
        (path.relative_to(REPOSITORY).as_posix(), name)
        for package in MAY_IMPORT
        for path in sources(package)
        for name in state_and_clocks(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == EXCEPTIONS


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("import random\nrandom.random()", "random.random"),
        ("from random import shuffle as mix", "random.shuffle"),
        ("import numpy as np\nnp.random.seed(1)", "numpy.random.seed"),
        ("from numpy.random import rand", "numpy.random.rand"),
        ("from numpy import random as r\nr.normal()", "numpy.random.normal"),
        ("def f():\n    import torch\n    torch.manual_seed(0)", "torch.manual_seed"),
        ("import time as t\nbegin = t.time()", "time.time"),
        ("from datetime import datetime\ndatetime.now()", "datetime.datetime.now"),
        ("import datetime\nx = datetime.datetime.now().year", "datetime.datetime.now"),
        ("import os\nos.urandom(8)", "os.urandom"),
    ],
)
def test_the_search_finds_what_it_is_for(code: str, name: str) -> None:
    assert name in state_and_clocks(ast.parse(code))


def test_own_generators_and_stop_watches_are_no_finds() -> None:
    code = "import numpy as np, time\nnp.random.default_rng(1).random()\nrng: np.random.Generator\ntime.monotonic()"
    assert state_and_clocks(ast.parse(code)) == set()


def test_every_package_of_the_house_is_looked_at() -> None:
    packages = {path.parent.name for path in REPOSITORY.glob("*/__init__.py")} - {"tests", "benchmarks", "tools"}
    assert packages | {"blemish"} == set(MAY_IMPORT)
    assert all(sources(package) for package in MAY_IMPORT)
