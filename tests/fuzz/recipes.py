"""Recipes, studies, and manifests: what people write."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz.target import Target, Tree

YAML_TOKENS = (
    b"&a ", b"*a", b"<<: *a", b"!!bool ", b"!!timestamp ", b"!!int ", b"!!binary ", b"!!set ",
    b"!!python/name:os.system ",
    b"!mine ", b"? ", b"- ", b"|\n", b">-\n", b"%YAML 1.1\n", b"---\n", b"...\n", b"\t", b"\0", b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"~", b"null", b".nan", b"-.inf", b"0x" + b"f" * 2000, b"1:" * 500, b"1e400", b"2024-99-99", b"{uniform: [1, 2]}",
    b"{normal: [1, 2], clip: [0, 3]}", b"{choice: [1, 2]}", b"{poisson: 3}", b'"\\ud800"', b'"\\0"', b"[" * 200, b"# ",
)  # fmt: skip

SMALL_RECIPE = """\
name: sheet  # small, so that many are read in a second
part: {kind: plate, width_mm: &width 60, height_mm: 50, thickness_mm: 3}
finish: {kind: ground, lay_degrees: 0, correlation_along_mm: {log_uniform: [10, 20]}, correlation_across_mm: 0.1,
  height_rms_um: 0.05, base_colour: [0.86, 0.87, 0.88], roughness: {normal: [0.3, 0.1], clip: [0.1, 0.5]}}
defects:
  - {kind: dent, count: {poisson: 2}, diameter_mm: {uniform: [4, 8]}, depth_um: 300}
  - {kind: crack, count: {choice: [0, 1]}, length_mm: 20, angle_degrees: 0, width_um: 300, depth_um: 100,
    reflectance_change: -5e-1}
light: {kind: ring, sides: 6, diameter_mm: 200, height_mm: 180, panel_width_mm: 35, power_w: 4}
camera: {resolution: [96, 80], focal_length_mm: 16, sensor_width_mm: 8.446, offset_x_mm: 0}
sensor: {exposure: 0.024}
switched_off: [defects.1]
"""

OWN_SCENE = """\
name: nuts
scene:
  inspect: ["Nut*"]
  cameras: [Left, "R*"]
  camera_frame: {uniform: [1, 20]}
  pose: [{objects: [Nut.000], axes: own, turn_z_degrees: {uniform: [0, 360]}}]
  resting: {objects: ["Nut.00[1-3]"], onto: [Bin], count: {choice: [1, 2]}, friction: 0.3}
  lights:
    - {lights: [Key], tint: [1, 0.5, {uniform: [0, 1]}], turn_degrees: 20}
    - {lights: [Fill], temperature_kelvin: 3e3}
  world: {turn_degrees: 90, strength: 2}
  clutter: [{objects: [Floor], probability: 0.5}]
defects: [{kind: dent, count: {poisson: 2}, diameter_mm: {uniform: [4, 8]}, depth_um: 300}]
"""


def recipes(folder: Path) -> list[bytes]:
    from scenes.recipes.reading import PRESETS

    painted = (PRESETS / "painted_panel.yaml").read_bytes()
    return [SMALL_RECIPE.encode(), SMALL_RECIPE.encode(), OWN_SCENE.encode(), painted]


def read_recipe(path: Path) -> object:
    from scenes.own_scene.contents import Contents
    from scenes.own_scene.drawing import draw_variation
    from scenes.quantities.random_stream import RandomStream
    from scenes.recipes.recipe import load_recipe
    from scenes.recipes.sampling import draw

    recipe = load_recipe(path)
    if recipe.scene is None:
        return draw(recipe, 0, 0)
    nuts = tuple(f"Nut.{number:03d}" for number in range(4))
    lights, cameras = ("Fill", "Key"), ("Left", "Right")
    contents = Contents(
        blend="nuts.blend", objects=("Bin", *lights, "Floor", *nuts), inspected=nuts, lights=lights, cameras=cameras
    )
    return draw_variation(recipe.scene, contents, RandomStream(0, 0).at("scene"))


def yaml_tree(content: bytes) -> Any:
    import yaml

    return yaml.safe_load(content)


def yaml_text(_: bytes, value: Any) -> bytes:
    """As JSON, which is YAML but for the names of numbers without bounds; written in a tenth of the time."""
    return json.dumps(value).replace("NaN", ".nan").replace("Infinity", ".inf").encode()


# Studies


def studies(folder: Path) -> list[bytes]:
    from anomaly.studies.engine.study_file import PRESETS

    return [path.read_bytes() for path in sorted(PRESETS.glob("*.yaml"))]


def read_study(path: Path) -> object:
    from anomaly.studies.study_file import load_any

    study = load_any(path)
    return study.study, study.beside(study.study.real.dataset or "")


# Manifests

MANIFEST = """\
image,label,mask,group,split,set
a.png,Free,,tile-1,train,here
b.png,1+2,b-mask.png,tile-2,test,here
c.png,other,,,,elsewhere
"""
WORDS = 'labels: {Free: good, "1": open, "2": short, other: unlabelled}\nmask: {1: open, 2: short}\n'


def pictures_listed(folder: Path) -> None:
    from scenes.pictures.png import encode

    mask = np.zeros((9, 11), np.uint8)
    mask[2:5, 3:7] = 1
    for seed, name in enumerate(("a", "b", "c")):
        values = np.random.default_rng(seed).integers(90, 130, (9, 11, 3), dtype=np.uint8)
        (folder / f"{name}.png").write_bytes(encode(values))
    (folder / "b-mask.png").write_bytes(encode(mask))
    (folder / "manifest.csv").write_text(MANIFEST)
    (folder / "manifest.yaml").write_text(WORDS)


def manifests(folder: Path) -> list[bytes]:
    pictures_listed(folder)
    return [MANIFEST.encode()]


def words(folder: Path) -> list[bytes]:
    pictures_listed(folder)
    return [WORDS.encode()]


def read_listed(path: Path) -> object:
    from scenes.formats.registry import read_samples

    return [(sample.label, sample.image(), sample.truth().kinds()) for sample in read_samples(path.parent)]


YAML = Tree(yaml_tree, yaml_text)
CSV_TOKENS = (
    b",", b'"', b'""', b"\r", b"\n", b"\r\n", b"\0", b"\xff", b"\xef\xbb\xbf", b"+", b"..", b"/", b"~", b"a.png",
    b"b-mask.png", b"manifest.csv", b"good", b"unlabelled", b"train", b"x" * 200_000, b"," * 5000,
)  # fmt: skip
TARGETS = (
    Target("recipe", "recipe.yaml", recipes, read_recipe, YAML_TOKENS, YAML),
    Target("study", "study.yaml", studies, read_study, YAML_TOKENS, YAML, instrumented=("scenes", "anomaly.studies")),
    Target("manifest", "manifest.csv", manifests, read_listed, CSV_TOKENS),
    Target("words", "manifest.yaml", words, read_listed, YAML_TOKENS, YAML),
)
