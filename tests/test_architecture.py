"""The floors and rooms of the house: who may import whom, where modules lie, that no code stands twice.

And that nothing random or timed comes from outside. Reads the sources; imports none of them.
"""

import ast
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
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
LEARNING |= {"transformers", "tokenizers", "peft", "accelerate", "segmentation_models_pytorch", "pywt"}
COMMON = {"lazy_loader", "numpy", "scipy", "skimage", "numba"}
MODELS = {"pydantic", "pydantic_core", "rich", "typer", "yaml"}  # of recipes and commands
REPORTS = {"PIL", "jinja2", "markupsafe", "matplotlib"}
LIBRARIES = {
    "procgen": COMMON | {"PIL"},  # Pillow draws the numbers on stickers
    "scenes": COMMON
    | MODELS
    | {"PIL", "fsspec", "filelock", "mapbox_earcut", "pycocotools", "ray", "threadpoolctl", "tifffile", "trimesh"}
    | {"xatlas"},
    "blender_addon": COMMON | BLENDER | {"rich", "typer"},
    "diffusion_refine": COMMON | LEARNING | MODELS | REPORTS,
    "anomaly": COMMON | LEARNING | MODELS | REPORTS | {"cv2", "onnx", "onnxruntime", "openvino", "pycocotools"},
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
    # timm mixes pictures by numpy's global generator only; it is put back as it was.
    ("anomaly/studies/classification/mixing.py", "numpy.random.get_state"),
    ("anomaly/studies/classification/mixing.py", "numpy.random.seed"),
    ("anomaly/studies/classification/mixing.py", "numpy.random.set_state"),
}


# Modules that import each other, whether at the top, within functions or for their types alone: two that need each
# other's types are one thing in two files as much as others.
CIRCLES: list[set[str]] = []
MOST_MODULES = 16  # of one folder, which one reads at a glance
ALIKE = 12  # lines of code that may not stand twice
WANTED_TWICE: dict[tuple[str, str], str] = {}  # pairs of files and why


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


def modules() -> dict[str, Path]:
    """Dotted name -> file of every module in the packages."""
    return {
        ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__"): path
        for package in MAY_IMPORT
        for path in sources(package)
    }


def public_homes() -> dict[str, str]:
    """Public name with its package, as in scenes.draw -> module that holds it."""
    homes: dict[str, str] = {}
    for package in MAY_IMPORT:
        stub = REPOSITORY / package / "__init__.pyi"
        for node in ast.walk(ast.parse(stub.read_text(encoding="utf-8") if stub.is_file() else "")):
            if isinstance(node, ast.ImportFrom):
                homes |= {f"{package}.{alias.name}": f"{package}.{node.module}" for alias in node.names}
    return homes


def imports_of(name: str, tree: ast.AST, known: Mapping[str, object], homes: Mapping[str, str]) -> set[str]:
    """Own modules that a module imports anywhere, public names as the modules that hold them."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                dotted = f"{node.module}.{alias.name}"
                found.add(dotted if dotted in known else homes.get(dotted, node.module))
    return (found & known.keys()) - {name}


def circles(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Groups of two and more modules that reach each other."""
    reached: dict[str, set[str]] = {}
    for start in graph:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for target in graph[waiting.pop()] - seen:
                seen.add(target)
                waiting.append(target)
        reached[start] = seen
    groups = {frozenset({name, *(other for other in reached[name] if name in reached[other])}) for name in graph}
    return sorted((set(group) for group in groups if len(group) > 1), key=sorted)


def test_no_modules_import_each_other() -> None:
    known, homes = modules(), public_homes()
    graph = {
        name: imports_of(name, ast.parse(path.read_text(encoding="utf-8")), known, homes)
        for name, path in known.items()
    }
    assert sum(map(len, graph.values())) > len(graph)
    assert circles(graph) == sorted(CIRCLES, key=sorted)


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [{"a", "b", "c"}]
    assert circles({"a": {"b"}, "b": set()}) == []
    homes = {"scenes.draw": "scenes.recipes.sampling"}
    tree = ast.parse("from scenes import draw\ndef f():\n    from scenes.recipes import recipe")
    known = dict.fromkeys(["scenes", "scenes.recipes", "scenes.recipes.recipe", "scenes.recipes.sampling"])
    assert imports_of("x", tree, known, homes) == {"scenes.recipes.sampling", "scenes.recipes.recipe"}


def test_every_room_is_in_the_plan_and_can_be_read_at_a_glance() -> None:
    plan = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    planned = set(re.findall(r"^\| `([\w/]+)/` \|", plan, re.MULTILINE))
    rooms = Counter(
        path.parent.relative_to(REPOSITORY).as_posix()
        for package in MAY_IMPORT
        for path in sources(package)
        if path.parent != REPOSITORY
    )
    assert set(rooms) == planned, "docs/architecture.md holds a row for every folder with modules"
    for room, files in rooms.items():
        assert files - 1 <= MOST_MODULES, f"{room} has {files - 1} modules; part it by what they are about"
        assert (REPOSITORY / room / "__init__.py").is_file(), f"{room} has no __init__.py that says what it is for"


def code_lines(text: str) -> list[tuple[int, str]]:
    """Lines of code with their numbers, without imports, docstrings, comments and layout."""
    left_out: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.Import | ast.ImportFrom) or docstring:
            left_out |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = ((number, " ".join(line.split())) for number, line in enumerate(text.splitlines(), 1))
    return [(number, line) for number, line in lines if line and number not in left_out and not line.startswith("#")]


def alike(texts: Mapping[str, str], length: int) -> set[tuple[str, str]]:
    """Pairs of places "file:line" where a run of `length` lines of code begins that stands in both."""
    places: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, text in texts.items():
        lines = code_lines(text)
        for start in range(len(lines) - length + 1):
            run = lines[start : start + length]
            places[tuple(line for _, line in run)].append(f"{name}:{run[0][0]}")
    return {(found[0], other) for found in places.values() for other in found[1:]}


def test_no_code_stands_twice() -> None:
    texts = {
        path.relative_to(REPOSITORY).as_posix(): path.read_text(encoding="utf-8")
        for package in MAY_IMPORT
        for path in sources(package)
    }
    pairs = {
        (one, other)
        for one, other in alike(texts, ALIKE)
        if (one.partition(":")[0], other.partition(":")[0]) not in WANTED_TWICE
    }
    assert pairs == set()


def test_code_that_stands_twice_is_found() -> None:
    run = "\n".join(f"x{number} = {number}" for number in range(12))
    texts = {"a.py": f'"""A."""\nimport os\n{run}', "b.py": f"y = 1\n\n# Why.\n{run}\n"}
    assert alike(texts, 12) == {("a.py:3", "b.py:4")}
    assert alike(texts, 13) == set()
