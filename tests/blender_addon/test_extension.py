"""The packed add-on: what Blender's own validator says of it, and what it leaves behind in a fresh profile."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path

import pytest

from scenes import Dataset
from tools import extension

REPOSITORY = Path(__file__).resolve().parents[2]
INSIDE = Path(__file__).with_name("installing.py")
SITE_PACKAGES = Path("lib", "python3.11", "site-packages")
LIMIT = 600  # seconds
PLACES = ("config", "scripts", "extensions", "datafiles")
OF_BLENDER = ("/scripts/addons", "/extensions/.local/lib/python3.11/site-packages")
# What registering must not import: it would cost seconds of every start of Blender.
HEAVY = {"pydantic", "scipy", "skimage", "PIL", "trimesh", "yaml", "typer", "rich"}


@pytest.fixture(scope="session")
def own_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return extension.own_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def light(tmp_path_factory: pytest.TempPathFactory, own_wheel: Path) -> Path:
    """The extension without the libraries of others: what is built where no package index is within reach."""
    folder = tmp_path_factory.mktemp("light")
    (built,) = extension.build(extension.stage(folder / "stage", [own_wheel]), folder, split=False)
    return built


def bpy_of(series: str) -> Path:
    """The folder of the bpy wheel of a Blender series; skips where it is not installed."""
    for home in (sys.prefix, REPOSITORY / ".venv", REPOSITORY / ".blenders" / f"bpy-{series}"):
        folder = Path(home) / SITE_PACKAGES / "bpy"
        if (folder / series).is_dir():
            return folder
    pytest.skip(f"bpy {series} is not installed; tools/blenders installs it")


def debians_blender() -> list[str]:
    """The command that runs `installing` in the Blender on PATH, if it is one for legacy add-ons; skips without."""
    blender = shutil.which("blender")
    said = subprocess.run([blender or "true", "--version"], capture_output=True, text=True, check=False).stdout
    if not said.startswith("Blender 3."):
        pytest.skip("no Blender 3 on PATH; tools/blenders installs Debian's")
    options = ["--background", "--factory-startup", "--python-use-system-env", "--python", str(INSIDE), "--"]
    return [str(blender), *options]


def link_libraries(folder: Path, names: Sequence[str]) -> None:
    """Make the installed libraries of these names, and no others, importable from `folder`."""
    lock = extension.LOCK.read_text(encoding="utf-8")
    for name in (pin.name for pin in extension.pinned(names, extension.PLATFORMS["linux-x64"], lock)):
        found = distribution(name)
        for top in {path.parts[0] for path in found.files or [] if path.parts[0] not in ("..", "__pycache__")}:
            (folder / top).symlink_to(Path(str(found.locate_file(top))))


def bare_python(folder: Path, series: str, *libraries: str) -> Path:
    """A Python with a Blender's bpy, its numpy and these libraries."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (folder / SITE_PACKAGES / "bpy").symlink_to(bpy_of(series))
    link_libraries(folder / SITE_PACKAGES, [*extension.SPARE, *libraries])
    return folder / "bin" / "python"


def profile(folder: Path) -> dict[str, str]:
    """Environment variables that give Blender an empty profile in `folder`, and Python nothing from elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BLENDER_", "PYTHON"))}
    settings = {f"BLENDER_USER_{name.upper()}": str(folder / name) for name in PLACES}
    return kept | settings | {"BLENDER_USER_RESOURCES": str(folder), "HOME": str(folder)}


def install(program: list[str], package: Path, folder: Path, **environment: str) -> dict:
    """Take the package through its life in a fresh profile; gives what `installing` found and what stayed on disk."""
    home = folder / "profile"
    for name in PLACES:
        (home / name).mkdir(parents=True)
    done = subprocess.run(
        [*program, str(package), str(folder / "found.json")],
        env=profile(home) | environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    said = done.stdout + done.stderr
    assert (folder / "found.json").exists(), said
    assert "Traceback" not in said, said
    assert len(Dataset(folder / "dataset")) == 1
    found = json.loads((folder / "found.json").read_text())
    found["files"] = sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())
    return found


def check_life(found: dict) -> None:
    """What every version must show of the life of an add-on."""
    steps = {step["step"]: step for step in found["steps"]}
    assert all(not step["errors"] for step in found["steps"]), found["steps"]
    for step in steps.values():
        # Blender's own folders for add-ons and for the wheels of extensions stay among those it imports from.
        step["gained"]["path"] = [path for path in step["gained"].get("path", []) if not path.endswith(OF_BLENDER)]
        step["gained"] = {kind: names for kind, names in step["gained"].items() if names}
    for step in ("enabled", "enabled again"):
        assert any(name.startswith("BLEMISH_PT_") for name in steps[step]["gained"]["types"])
        assert "Scene.blemish" in steps[step]["gained"]["properties"]
    assert steps["enabled"]["gained"] == steps["enabled again"]["gained"]
    for step in ("disabled", "disabled again"):
        assert steps[step]["gained"].keys() <= {"entry"}, step  # Blender keeps the module that it calls
        assert steps[step]["lost"] == {}, step
    if tuple(found["version"]) < (4, 2):
        steps["uninstalled"]["gained"].pop("entry", None)  # nor does it forget that of a legacy add-on it removes
    assert steps["uninstalled"]["gained"] == steps["uninstalled"]["lost"] == {}
    assert not [name for name in found["files"] if "blemish" in name.lower() or "site-packages" in name]
    assert HEAVY.isdisjoint(found["imported"])


def test_the_manifest_tells_of_this_distribution() -> None:
    fields, project = extension.manifest(), tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert fields["version"] == project["version"]
    assert fields["license"] == [f"SPDX:{project['license']}"]
    assert set(fields["platforms"]) == set(extension.PLATFORMS)
    assert set(fields["permissions"]) == {"files", "network"}
    information = extension.legacy_information()
    assert (information["name"], information["author"]) == (fields["name"], fields["maintainer"])
    assert information["description"] == fields["tagline"]
    assert ".".join(map(str, information["version"])) == fields["version"]


def test_libraries_are_pinned_for_every_platform() -> None:
    lock = extension.LOCK.read_text(encoding="utf-8")
    for platform in extension.PLATFORMS.values():
        pins = extension.pinned(extension.LIBRARIES, platform, lock)
        assert [pin.name for pin in pins] == [
            name for name in extension.LIBRARIES if name != "colorama" or platform.name == "windows-x64"
        ]
        assert all(pin.hashes for pin in pins)
        assert "networkx==3.6" in {pin.line[:13] for pin in pins}  # the lock holds a newer one for newer Pythons
    with pytest.raises(SystemExit, match="make lock"):
        extension.pinned(["no-such-library"], platform, lock)


def test_numpy_and_torch_stay_out() -> None:
    assert {"numpy", "torch", "bpy", "numba"}.isdisjoint(extension.LIBRARIES)


def test_blenders_own_validator_accepts_the_extension(light: Path, own_wheel: Path) -> None:
    with zipfile.ZipFile(light) as packed:
        names = set(packed.namelist())
    assert names == {"__init__.py", "LICENSE", "blender_manifest.toml", f"wheels/{own_wheel.name}"}


@pytest.mark.parametrize("series", ["4.2", "4.5", "5.0"])
def test_so_do_those_of_every_version(light: Path, series: str) -> None:
    script = bpy_of(series) / series / "scripts" / "addons_core" / "bl_pkg" / "cli" / "blender_ext.py"
    subprocess.run([sys.executable, script, "validate", light], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('"SPDX:GPL-3.0-or-later"', '""'),
        ('files = "', 'disk = "'),
        ('version = "0.1.0"', 'version = "0.1"'),
        ('tags = ["Render"', 'tags = ["Rendering"'),
        ("exact masks", "exact masks."),
    ],
)
def test_and_refuses_a_manifest_that_is_wrong(tmp_path: Path, own_wheel: Path, right: str, wrong: str) -> None:
    staged = extension.stage(tmp_path / "stage", [own_wheel])
    path = staged / "blender_manifest.toml"
    text = path.read_text(encoding="utf-8")
    assert right in text
    path.write_text(text.replace(right, wrong, 1), encoding="utf-8")
    with pytest.raises(SystemExit, match="refuses"):
        extension.build(staged, tmp_path, split=False)


def test_the_own_wheel_holds_what_the_packages_read(own_wheel: Path) -> None:
    with zipfile.ZipFile(own_wheel) as packed:
        names = set(packed.namelist())
    sources = {
        path.relative_to(REPOSITORY).as_posix()
        for package in extension.PACKAGES
        for path in (REPOSITORY / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.parent != extension.SOURCE
    }
    assert sources <= names
    assert not [name for name in names if name.startswith(("anomaly", "diffusion_refine", "tests", "tools"))]


@pytest.mark.render
@pytest.mark.parametrize("series", ["4.2", "4.5", "5.0"])
def test_extension_comes_and_goes_without_a_trace(tmp_path: Path, light: Path, series: str) -> None:
    python = bare_python(tmp_path / "python", series, *extension.LIBRARIES)
    found = install([str(python), str(INSIDE)], light, tmp_path)
    check_life(found)
    assert ".".join(map(str, found["version"][:2])) == series


@pytest.mark.render
def test_legacy_add_on_comes_and_goes_without_a_trace(tmp_path: Path, own_wheel: Path) -> None:
    package = extension.legacy(tmp_path / "legacy.zip", [own_wheel])
    (tmp_path / "libraries").mkdir()
    link_libraries(tmp_path / "libraries", [*extension.SPARE, *extension.LIBRARIES])
    found = install(debians_blender(), package, tmp_path, PYTHONPATH=str(tmp_path / "libraries"))
    check_life(found)


@pytest.fixture(scope="session")
def bundled(own_wheel: Path) -> list[Path]:
    """The wheels of the whole extension for Linux; skips where they are neither kept nor to be downloaded."""
    linux = extension.PLATFORMS["linux-x64"]
    pins = extension.pinned(extension.LIBRARIES, linux, extension.LOCK.read_text(encoding="utf-8"))
    try:
        return [own_wheel, *extension.downloaded(pins, linux, extension.CACHE / linux.name)]
    except SystemExit as error:
        pytest.skip(str(error))


@pytest.mark.slow
@pytest.mark.parametrize("series", ["4.2", "4.5", "5.0"])
def test_bundled_libraries_are_all_that_is_needed(tmp_path: Path, bundled: list[Path], series: str) -> None:
    (package,) = extension.build(extension.stage(tmp_path / "stage", bundled), tmp_path, split=False)
    check_life(install([str(bare_python(tmp_path / "python", series)), str(INSIDE)], package, tmp_path))


@pytest.fixture(scope="session")
def whole_legacy(tmp_path_factory: pytest.TempPathFactory, bundled: list[Path]) -> Path:
    linux = extension.PLATFORMS["linux-x64"]
    pins = extension.pinned(extension.SPARE, linux, extension.LOCK.read_text(encoding="utf-8"))
    spare = extension.downloaded(pins, linux, extension.CACHE / linux.name)
    return extension.legacy(tmp_path_factory.mktemp("legacy") / "legacy.zip", bundled, spare)


@pytest.mark.slow
def test_and_those_of_the_legacy_add_on(tmp_path: Path, whole_legacy: Path) -> None:
    check_life(install(debians_blender(), whole_legacy, tmp_path))


@pytest.mark.slow
def test_the_unpacked_add_on_renders_without_being_enabled(tmp_path: Path, whole_legacy: Path) -> None:
    blender = debians_blender()[0]
    with zipfile.ZipFile(whole_legacy) as packed:
        packed.extractall(tmp_path / "addons")
    script = tmp_path / "addons" / extension.LEGACY_FOLDER / "libraries" / "blender_addon" / "headless.py"
    command = [blender, "--background", "--python", script, "--", "render", "plate", "--frames", "1", "--samples", "1"]
    done = subprocess.run(
        [*command, "--out", tmp_path / "set"], env=profile(tmp_path), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(Dataset(tmp_path / "set")) == 1


def test_another_python_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from blender_addon import extension as entry

    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    with pytest.raises(RuntimeError, match=r"found 3\.10"):
        entry.register()
