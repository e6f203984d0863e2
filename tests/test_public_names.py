"""The public names of each package: they resolve, say what they are, and cost nothing before they are used."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("procgen", "scenes", "blender_addon", "diffusion_refine", "anomaly")
NEEDED = {"blender_addon": "bpy", "diffusion_refine": "diffusers", "anomaly": "anomalib"}
LEAST = {"procgen": {"perlin", "WaterStains"}, "scenes": {"load_recipe", "draw", "Dataset"}}
LEAST |= {"blender_addon": {"render_dataset", "register", "unregister"}, "diffusion_refine": {"load_model"}}
LEAST |= {"anomaly": {"SequentialCoreset", "SequentialPatchcore"}}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_resolves_and_says_what_it_is(package: str) -> None:
    if package in NEEDED:
        pytest.importorskip(NEEDED[package])
    module = import_module(package)
    names = list(module.__all__)
    assert names == sorted(set(names))
    assert set(names) <= set(dir(module))
    assert LEAST[package] <= set(names)
    for name in names:
        text = getattr(module, name).__doc__ or ""
        assert text.strip(), f"{package}.{name} has no docstring"
        assert not text.startswith(f"{name}("), f"{package}.{name} has none but the signature that dataclass writes"


def test_importing_a_package_imports_none_of_its_modules() -> None:
    """Counted in modules: `import scenes` and its like stay far below half a second."""
    code = f"import sys; before = set(sys.modules); import {', '.join(PACKAGES)}; print(*set(sys.modules) - before)"
    run = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert {name for name in loaded if name.partition(".")[0] in PACKAGES} == set(PACKAGES)
    assert not {"numpy", "scipy", "pydantic", "torch", "bpy"} & loaded
    assert len(loaded) < 100


def test_an_unknown_name_is_refused_as_python_does() -> None:
    with pytest.raises(AttributeError, match="procgen"):
        getattr(import_module("procgen"), "nothing_of_the_kind")  # noqa: B009


@pytest.mark.parametrize("package", PACKAGES)
def test_types_travel_with_the_package(package: str) -> None:
    assert (REPOSITORY / package / "py.typed").is_file()
    assert (REPOSITORY / package / "__init__.pyi").is_file()
