"""Pack the add-on for Blender's own installer, with the libraries it needs. `make extension`.

Into dist/: an extension for Blender 4.2 and later for every platform, built and validated by Blender's own
`blender_ext.py`, and the legacy add-on for the 3.4 of Debian 12. The libraries are the wheels that requirements.lock
names, downloaded once and checked against its hashes. Nothing here imports Blender.
"""

import argparse
import ast
import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.requirements import Requirement

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCE = REPOSITORY / "blender_addon" / "extension"
LOCK = REPOSITORY / "requirements.lock"
CACHE = REPOSITORY / "build" / "wheels"
PACKAGES = ("blender_addon", "procgen", "scenes")
LEGACY_FOLDER = "blemish_addon"  # not blemish: that module is the command
LEGACY_PLATFORM = "linux-x64"
ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the same sources give the same bytes
SHOWN_SHARES = 4

# The libraries that drawing, maps, meshes, rendering and the dataset import inside Blender; numpy is Blender's own.
# The other dependencies of Blemish and of these (jinja2, tifffile, imageio, numba, torch) are not imported there.
LIBRARIES = (
    "annotated-doc", "annotated-types", "colorama", "filelock", "lazy-loader", "mapbox-earcut", "markdown-it-py",
    "mdurl", "networkx", "pillow", "pycocotools", "pydantic", "pydantic-core", "pygments", "pyyaml", "rich",
    "scikit-image", "scipy", "shellingham", "trimesh", "typer", "typing-extensions", "typing-inspection", "xatlas",
)  # fmt: skip
SPARE = ("numpy",)  # Debian's blender comes without; used only where Blender has none


@dataclass(frozen=True)
class Platform:
    """Wheels that run where a Blender of this platform runs; `tags` from the newest to the oldest system."""

    name: str
    sys_platform: str
    tags: tuple[str, ...]


# Blender 4.2 asks for glibc 2.28; scipy's wheels ask for macOS 12 on Apple's own processors.
MANYLINUX = (*(f"manylinux_2_{minor}_x86_64" for minor in range(28, 4, -1)), "manylinux2014_x86_64")
PLATFORMS = {
    platform.name: platform
    for platform in (
        Platform("linux-x64", "linux", MANYLINUX),
        Platform("windows-x64", "win32", ("win_amd64",)),
        Platform("macos-arm64", "darwin", ("macosx_12_0_arm64",)),
        Platform("macos-x64", "darwin", ("macosx_12_0_x86_64",)),
    )
}


@dataclass(frozen=True)
class Pinned:
    """One distribution of requirements.lock: `line` as "name==version", and the hashes of all its files."""

    name: str
    line: str
    hashes: frozenset[str]


def pinned(names: Iterable[str], platform: Platform, lock: str) -> list[Pinned]:
    """What the text of a lock file pins of `names` for Python 3.11 on a platform.

    Raises SystemExit for a name that the lock does not hold at all.
    """
    systems = {"win32": "Windows", "linux": "Linux", "darwin": "Darwin"}
    environment = {"sys_platform": platform.sys_platform, "platform_system": systems[platform.sys_platform]}
    environment |= {"python_version": "3.11", "python_full_version": "3.11.0"}
    found: dict[str, Pinned] = {}
    known: set[str] = set()
    for block in re.split(r"\n(?=\S)", lock):
        requirement = block.partition(" \\")[0]
        if block.startswith("#") or "==" not in requirement:
            continue
        parsed = Requirement(requirement)
        known.add(parsed.name)
        if parsed.marker is None or parsed.marker.evaluate(environment):
            hashes = frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", block))
            found[parsed.name] = Pinned(parsed.name, f"{parsed.name}{parsed.specifier}", hashes)
    if missing := sorted(set(names) - known):
        raise SystemExit(f"extension: requirements.lock does not hold {', '.join(missing)}; run make lock")
    return [found[name] for name in names if name in found]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def downloaded(wanted: Sequence[Pinned], platform: Platform, folder: Path) -> list[Path]:
    """The wheels of these distributions for a platform, in their order, from `folder` or else the package index.

    Raises SystemExit where one cannot be had, or has another hash than the lock names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = {digest(path): path for path in folder.glob("*.whl")}
    missing = [pin for pin in wanted if not pin.hashes & kept.keys()]
    if missing:
        with TemporaryDirectory() as scratch:
            requirements = Path(scratch) / "requirements.txt"
            lines = [" ".join([pin.line, *(f"--hash=sha256:{digest}" for digest in pin.hashes)]) for pin in missing]
            requirements.write_text("\n".join(lines), encoding="utf-8")
            tags = [f"--platform={tag}" for tag in platform.tags]
            run(
                [
                    *pip("download --only-binary=:all: --require-hashes --implementation=cp --python-version=3.11"),
                    *tags,
                    *("--dest", str(folder), "--requirement", str(requirements)),
                ],
                f"the wheels for {platform.name} could not be downloaded; is the package index within reach?",
            )
        kept = {digest(path): path for path in folder.glob("*.whl")}
    return [kept[min(pin.hashes & kept.keys())] for pin in wanted]


def own_wheel(folder: Path) -> Path:
    """Build the wheel of procgen, scenes and blender_addon, which runs on every platform, into `folder`."""
    with TemporaryDirectory() as scratch:
        # A copy: setuptools leaves a build folder behind, from which files that are no more would come back.
        for name in PACKAGES:
            ignored = shutil.ignore_patterns("__pycache__", "extension")
            shutil.copytree(REPOSITORY / name, Path(scratch) / name, ignore=ignored)
        for name in ("pyproject.toml", "README.md", "LICENSE", "blemish.py"):
            shutil.copy(REPOSITORY / name, scratch)
        run(
            [*pip("wheel --no-index --no-build-isolation"), "--wheel-dir", str(folder), scratch],
            "the wheel of Blemish itself could not be built",
        )
    return next(folder.glob("blemish-*.whl"))


def manifest() -> dict[str, str]:
    """The fields of the manifest."""
    return tomllib.loads((SOURCE / "blender_manifest.toml").read_text(encoding="utf-8"))


def legacy_information() -> dict[str, object]:
    """What `blender_addon` says of itself to Blenders that know no manifest."""
    module = ast.parse((REPOSITORY / "blender_addon" / "__init__.py").read_text(encoding="utf-8"))
    for line in module.body:
        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "bl_info":
            return dict(ast.literal_eval(line.value))
    raise SystemExit("extension: blender_addon/__init__.py says no bl_info")


def stage(folder: Path, wheels: Sequence[Path]) -> Path:
    """Lay out in `folder` what Blender's builder packs: entry, manifest, licence and wheels."""
    (folder / "wheels").mkdir(parents=True)
    shutil.copy(SOURCE / "__init__.py", folder)
    shutil.copy(REPOSITORY / "LICENSE", folder)
    for wheel in wheels:
        shutil.copy(wheel, folder / "wheels")
    names = "".join(f'    "./wheels/{name}",\n' for name in sorted({wheel.name for wheel in wheels}))
    text = (SOURCE / "blender_manifest.toml").read_text(encoding="utf-8")
    head, line, tail = re.split(r"(# `wheels` is .*\n)", text)
    assert line
    (folder / "blender_manifest.toml").write_text(f"{head}wheels = [\n{names}]\n{tail}", encoding="utf-8")
    return folder


def blender_ext(*arguments: str) -> str:
    """Run Blender's own command for extensions, which needs no Blender; gives what it printed.

    Raises SystemExit with its words where it refuses.
    """
    spec = importlib.util.find_spec("bpy")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("extension: bpy is not installed, in which Blender's own builder comes; run make setup")
    (scripts,) = Path(spec.submodule_search_locations[0]).glob("*/scripts")
    script = scripts / "addons_core" / "bl_pkg" / "cli" / "blender_ext.py"
    tags = scripts / "modules" / "_bpy_internal" / "extensions" / "tags.py"
    command = [sys.executable, str(script), *arguments, "--valid-tags", str(tags)]
    return run(command, "Blender's own builder refuses the extension")


def build(staged: Path, out: Path, *, split: bool) -> list[Path]:
    """Build and validate the extension, one zip for each platform or one for all."""
    blender_ext("validate", str(staged))
    with TemporaryDirectory() as scratch:
        blender_ext(
            "build", "--source-dir", str(staged), "--output-dir", scratch, *(["--split-platforms"] if split else [])
        )
        built = []
        for path in sorted(Path(scratch).glob("*.zip")):
            blender_ext("validate", str(path))
            built.append(Path(shutil.copy(path, out / path.name)))
    return built


def legacy(path: Path, wheels: Sequence[Path], spare: Sequence[Path] = ()) -> Path:
    """Write the legacy add-on to `path`: the same entry under a `bl_info`, the libraries unpacked beside it."""
    entry = (SOURCE / "__init__.py").read_text(encoding="utf-8")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:

        def write(name: str, content: bytes) -> None:
            packed.writestr(zipfile.ZipInfo(f"{LEGACY_FOLDER}/{name}", ZIP_TIME), content, zipfile.ZIP_DEFLATED)

        write("__init__.py", f"{entry}\nbl_info = {legacy_information()!r}\n".encode())
        write("LICENSE", (REPOSITORY / "LICENSE").read_bytes())
        for folder, chosen in (("libraries", wheels), ("spare", spare)):
            for wheel in sorted(chosen):
                with zipfile.ZipFile(wheel) as opened:
                    for name in sorted(opened.namelist()):
                        if ".data/" in name:
                            raise SystemExit(f"extension: {wheel.name} holds {name}, which has to be installed")
                        if not name.endswith("/"):
                            write(f"{folder}/{name}", opened.read(name))
    return path


def pip(arguments: str) -> list[str]:
    return [sys.executable, "-m", "pip", *arguments.split(), "-q", "--disable-pip-version-check", "--no-deps"]


def run(command: Sequence[str], trouble: str) -> str:
    """Run a command and give what it printed; raises SystemExit with its last words where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        words = "\n".join((done.stdout + done.stderr).strip().splitlines()[-6:])
        raise SystemExit(f"extension: {trouble}\n{words}")
    return done.stdout


def report(path: Path, wheels: Sequence[Path]) -> str:
    """One line: how large a zip is, and what it is large of."""
    largest = sorted(wheels, key=lambda wheel: -wheel.stat().st_size)[:SHOWN_SHARES]
    shares = ", ".join(f"{wheel.name.partition('-')[0]} {wheel.stat().st_size / 1e6:.1f}" for wheel in largest)
    return f"{path.name:42} {path.stat().st_size / 1e6:6.1f} MB   of which {shares}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=REPOSITORY / "dist", help="folder for the zips")
    parser.add_argument("--platform", action="append", choices=PLATFORMS, help="only this platform; may be repeated")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    lock = LOCK.read_text(encoding="utf-8")
    with TemporaryDirectory() as scratch:
        own = own_wheel(Path(scratch))
        for name in chosen.platform or PLATFORMS:
            platform = PLATFORMS[name]
            wheels = [own, *downloaded(pinned(LIBRARIES, platform, lock), platform, CACHE / name)]
            only = stage(Path(scratch) / name, wheels)
            keep_platform(only / "blender_manifest.toml", name)
            (built,) = build(only, chosen.out, split=True)
            print(report(built, wheels), flush=True)
            if name == LEGACY_PLATFORM:
                spare = downloaded(pinned(SPARE, platform, lock), platform, CACHE / name)
                path = chosen.out / f"blemish-{manifest()['version']}-legacy-{name.replace('-', '_')}.zip"
                print(report(legacy(path, wheels, spare), [*wheels, *spare]), flush=True)


def keep_platform(path: Path, name: str) -> None:
    """Leave one platform of those that a staged manifest names."""
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"(?m)^platforms = .*$", f'platforms = ["{name}"]', text), encoding="utf-8")


if __name__ == "__main__":
    main()
