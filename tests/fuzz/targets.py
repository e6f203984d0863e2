"""What is fuzzed: every reader of files that people give to Blemish. To add one, add it to TARGETS.

A target's sound contents are spoilt by `mutations`; whatever comes of it, its reader may only give a value or raise a
BlemishError (`tally`).
"""

import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Tree:
    """How a content is one of nested values, so that single values of it can be spoilt."""

    loads: Callable[[bytes], Any]
    dumps: Callable[[bytes, Any], bytes]  # given the sound content as well


@dataclass(frozen=True)
class Target:
    """A reader of one kind of file.

    file: where in a folder the content goes. prepare: makes what else the folder must hold, and gives sound contents.
    read: reads the file, given its path. tokens: what such files are made of. tree: of contents that are trees.
    """

    name: str
    file: str
    prepare: Callable[[Path], list[bytes]]
    read: Callable[[Path], object]
    tokens: tuple[bytes, ...] = ()
    tree: Tree | None = None
    mend: Callable[[bytes], bytes] = bytes  # makes checksums right again
    instrumented: tuple[str, ...] = field(default=("scenes", "procgen"))  # packages whose branches atheris follows


JSON = Tree(json.loads, lambda _, value: json.dumps(value).encode())
JSON_TOKENS = (
    b"null", b"true", b"NaN", b"-Infinity", b"1e400", b"-1", b"[]", b"{}", b'"\\ud800"', b'"\\u0000"', b"9" * 400,
    b"9" * 5000, b"[" * 2000, b'{"a":' * 2000, b"65536", b"2147483648", b"18446744073709551616",
)  # fmt: skip
YAML_TOKENS = (
    b"&a ", b"*a", b"<<: *a", b"!!bool ", b"!!timestamp ", b"!!int ", b"!!binary ", b"!!set ",
    b"!!python/name:os.system ",
    b"!mine ", b"? ", b"- ", b"|\n", b">-\n", b"%YAML 1.1\n", b"---\n", b"...\n", b"\t", b"\0", b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"~", b"null", b".nan", b"-.inf", b"0x" + b"f" * 2000, b"1:" * 500, b"1e400", b"2024-99-99", b"{uniform: [1, 2]}",
    b"{normal: [1, 2], clip: [0, 3]}", b"{choice: [1, 2]}", b"{poisson: 3}", b'"\\ud800"', b'"\\0"', b"[" * 200, b"# ",
)  # fmt: skip
OBJ_TOKENS = (
    b"v ", b"f ", b"l 1 2\n", b"p 1\n", b"\\\n", b"# ", b"-1", b"0", b"1/2/3", b"//", b"nan", b"inf", b"1e300",
    b"1e-300",
    b"99999999999999999999", b"curv 0 1 1 2\n", b"surf 0 1 0 1 1\n", b"vt 0 0\n", b"vn 0 0 1\n", b"\r", b"\r\n",
    b"\0", b"\xff",
    b"g a\n", b"o b\n", b"usemtl c\n", b"mtllib d.mtl\n", b"call e.obj\n",
)  # fmt: skip
STL_TOKENS = (
    b"solid ", b"endsolid\n", b"facet normal 0 0 1\n", b"outer loop\n", b"vertex ", b"endloop\n", b"endfacet\n",
    b"nan", b"inf",
    b"1e300", b"\xff\xff\xff\xff", b"\xff\xff\x7f\x7f", b"\0\0\0\0", b"\r", b"\xff",
)  # fmt: skip
BINARY_TOKENS = (
    b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\0\0\0", b"\0\0\0\x80",
    b"\0" * 64, b"\xff" * 64,
)  # fmt: skip
PNG_TOKENS = (*BINARY_TOKENS, b"IHDR", b"IDAT", b"IEND", b"PLTE", b"tRNS", b"iCCP", b"zTXt", b"eXIf", b"\0\0\x10\0")


def no_surroundings(*contents: bytes) -> Callable[[Path], list[bytes]]:
    return lambda folder: list(contents)


# Recipes

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


def recipes(folder: Path) -> list[bytes]:
    from scenes.recipes.reading import PRESETS

    return [SMALL_RECIPE.encode(), SMALL_RECIPE.encode(), (PRESETS / "painted_panel.yaml").read_bytes()]


def read_recipe(path: Path) -> object:
    from scenes.recipes.recipe import load_recipe
    from scenes.recipes.sampling import draw

    return draw(load_recipe(path), 0, 0)


def yaml_tree(content: bytes) -> Any:
    import yaml

    return yaml.safe_load(content)


def yaml_text(_: bytes, value: Any) -> bytes:
    """As JSON, which is YAML but for the names of numbers without bounds; written in a tenth of the time."""
    return json.dumps(value).replace("NaN", ".nan").replace("Infinity", ".inf").encode()


# Datasets


def dataset(folder: Path) -> Path:
    """A dataset of two frames of 24 x 20 pixels, each with a crack."""
    from procgen.surface.layer import Instance
    from scenes import DatasetWriter, draw, load_recipe
    from scenes.recipes.recipe import recipe_from

    fields = load_recipe("plate").model_dump(mode="json")
    fields["camera"]["resolution"] = [24, 20]
    recipe = recipe_from(fields, "recipe.yaml")
    writer = DatasetWriter(folder, recipe, 5, 2, samples=1)
    mask = np.zeros((20, 24), np.uint16)
    mask[5:9, 6:15] = 1
    for index in range(2):
        image = np.random.default_rng(index).integers(90, 130, (20, 24, 3), dtype=np.uint8)
        writer.write(index, image, mask, mask, 0 * mask, draw(recipe, 5, index), [Instance(1, "defect", "crack")])
    writer.finish()
    return folder


def file_of_a_dataset(name: str) -> Callable[[Path], list[bytes]]:
    return lambda folder: [(dataset(folder) / name).read_bytes()]


def read_header(path: Path) -> object:
    from scenes import Dataset

    found = Dataset(path.parent)
    return found.recipe, found.classes, found.families, found.recipe_name, found.complete


def read_scene(path: Path) -> object:
    from scenes import Dataset

    frame = Dataset(path.parents[1])[0]
    return frame.scene, frame.instances, frame.refinement


def read_annotations(path: Path) -> object:
    from scenes import Dataset
    from scenes.datasets.overview import counts

    return counts(Dataset(path.parent))


# Pictures

MOST_PIXELS = 1 << 22  # as an option would say: by default a few bytes may ask for a picture of a gigabyte


def pngs(folder: Path) -> list[bytes]:
    from scenes.pictures.png import encode

    rng = np.random.default_rng(0)
    shapes: list[tuple[int, ...]] = [(9, 7), (9, 7, 3)]
    return [encode(rng.integers(0, 255, shape).astype(kind)) for shape in shapes for kind in (np.uint8, np.uint16)]


def with_checksums(content: bytes) -> bytes:
    """A PNG whose chunks have the checksums that they ought to have, as far as their lengths lead."""
    mended, place = bytearray(content), 8
    while place + 12 <= len(mended):
        end = place + 8 + int.from_bytes(mended[place : place + 4], "big")
        mended[end : end + 4] = zlib.crc32(mended[place + 4 : end]).to_bytes(4, "big")
        place = end + 4
    return bytes(mended)


def pictures(folder: Path) -> list[bytes]:
    """Of other formats than PNG, colour and grey, one with an orientation, one of 16 bits."""
    from io import BytesIO

    from PIL import Image

    rng = np.random.default_rng(0)
    colour = Image.fromarray(rng.integers(0, 255, (18, 17, 3), dtype=np.uint8))
    deep = Image.fromarray(rng.integers(0, 65535, (18, 17), dtype=np.uint16))
    exif = Image.Exif()
    exif[0x0112] = 6
    contents = []
    for picture, options in (
        (colour, {"format": "JPEG", "exif": exif}),
        (colour, {"format": "TIFF"}),
        (deep, {"format": "TIFF"}),
        (colour.convert("L"), {"format": "TIFF", "compression": "tiff_lzw"}),
        (colour.convert("P"), {"format": "BMP"}),
        (colour.convert("RGBA"), {"format": "WEBP"}),
    ):
        file = BytesIO()
        picture.save(file, **options)
        contents.append(file.getvalue())
    return contents


def read_picture(path: Path) -> object:
    from procgen.errors import BlemishError
    from scenes.pictures import png
    from scenes.pictures.masks import read_mask
    from scenes.pictures.reading import ReadingOptions, read_photograph, read_rgb, read_valid_mask

    results: list[object] = []
    refusals: list[Exception] = []
    options = ReadingOptions(most_pixels=MOST_PIXELS)
    readers = (
        png.read,
        lambda path: read_mask(path, path, MOST_PIXELS),
        *(partial(reader, options=options) for reader in (read_rgb, read_valid_mask, read_photograph)),
    )
    for reader in readers:
        try:
            results.append(reader(path))
        except (BlemishError, png.PngError) as error:  # a PngError becomes one where a picture's place is known
            refusals.append(error)
    if not results:
        raise BlemishError(str(refusals[-1]))
    return results


def exrs(folder: Path) -> list[bytes]:
    """One of a colour pass, as Blender writes it: the header's attributes, the table of lines, the lines."""
    import struct

    width, height = 5, 4
    names = (b"B", b"G", b"R")
    channels = b"".join(name + b"\0" + struct.pack("<iiii", 2, 0, 1, 1) for name in names) + b"\0"
    attributes = b"".join(
        name + b"\0" + kind + b"\0" + struct.pack("<i", len(value)) + value
        for name, kind, value in (
            (b"channels", b"chlist", channels),
            (b"compression", b"compression", b"\0"),
            (b"dataWindow", b"box2i", struct.pack("<4i", 0, 0, width - 1, height - 1)),
        )
    )
    start = struct.pack("<ii", 20000630, 2) + attributes + b"\0"
    values = np.random.default_rng(0).random((len(names), width)).astype("<f4").tobytes()
    lines = [struct.pack("<ii", y, len(values)) + values for y in range(height)]
    places = [len(start) + 8 * height + y * len(lines[0]) for y in range(height)]
    return [start + struct.pack(f"<{height}Q", *places) + b"".join(lines)]


def read_exr(path: Path) -> object:
    from blender_addon.rendering.exr import read_exr

    return read_exr(path)


# Meshes

BOX = """v 0 0 0\nv 9 0 0\nv 9 8 0\nv 0 8 0\nv 0 0 3\nv 9 0 3\nv 9 8 3\nv 0 8 3
f 5 6 7 8\nf 4 3 2 1\nf 1 2 6 5\nf 2 3 7 6\nf 3 4 8 7\nf 4 1 5 8\n"""
CORNER = "v 0 0 0\nv 6 0 0\nv 6 2 0\nv 2 2 0\nv 2 6 0\nv 0 6 0\nf -6 -5 -4 -3 -2 -1\nvt 0 0\nvn 0 0 1\nl 1 2\n"
FRAME = """v 0 0 0\nv 6 0 0\nv 6 6 0\nv 0 6 0\nv 2 2 0\nv 2 4 0\nv 4 4 0\nv 4 2 0
f 1/1/1 2/1/1 3/1/1 4/1/1 1/1/1 5/1/1 6/1/1 7/1/1 8/1/1 5/1/1\n"""
FACET = "facet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 5 0 0\nvertex 0 5 0\nendloop\nendfacet\n"


def stls(folder: Path) -> list[bytes]:
    import trimesh

    box = trimesh.creation.box((5, 6, 7))
    return [
        box.export(file_type="stl"),
        box.export(file_type="stl_ascii").encode(),
        f"solid a\n{FACET}endsolid\n".encode(),
    ]


def glbs(folder: Path) -> list[bytes]:
    import trimesh

    return [trimesh.creation.box((5, 6, 7)).export(file_type="glb")]


def glb_tree(content: bytes) -> Any:
    return json.loads(content[20 : 20 + int.from_bytes(content[12:16], "little")])


def glb_bytes(sound: bytes, tree: Any) -> bytes:
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    rest = sound[20 + int.from_bytes(sound[12:16], "little") :]
    length = 20 + len(text) + len(rest)
    return sound[:8] + length.to_bytes(4, "little") + len(text).to_bytes(4, "little") + b"JSON" + text + rest


def gltfs(folder: Path) -> list[bytes]:
    import trimesh

    files = trimesh.exchange.gltf.export_gltf(trimesh.Scene(trimesh.creation.box((5, 6, 7))))
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [files["model.gltf"]]


def read_part(path: Path) -> object:
    from scenes.geometry.mesh_files import digest_of
    from scenes.geometry.meshes import unwrapped
    from scenes.geometry.surfaces import read_surface

    name = str(path)
    return unwrapped.__wrapped__(read_surface.__wrapped__(name, digest_of(name), 1e-3, "z"))


# Inspectors


def banks(folder: Path) -> list[bytes]:
    import timm  # which is asked for names of backbones that nobody knows; importing it takes seconds
    import torch

    from anomaly.backbone.patch_extractor import FILTERS, patch_extractor
    from anomaly.inspection.inspector import BANK_FILE, Inspector, TrainingRecord
    from anomaly.patchcore.torch_model import SequentialPatchcoreModel

    assert timm.list_models()
    model = SequentialPatchcoreModel(patch_extractor(FILTERS), 4)
    model.update(torch.from_numpy(np.random.default_rng(0).random((2, 3, 32, 32), dtype=np.float32)), sources=[1, 2])
    record = TrainingRecord(
        FILTERS, False, "none", 4, 1, 1.0, 0, ("a",), ("b",), "c", sources={"01": "a.png"}, accepted=(4,)
    )
    Inspector(model, record).save(folder)
    return [(folder / BANK_FILE).read_bytes()]


def bank_tree(content: bytes) -> Any:
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return {**header, "__metadata__": {"blemish": json.loads(header["__metadata__"]["blemish"])}}


def bank_bytes(sound: bytes, tree: Any) -> bytes:
    with suppress(KeyError, TypeError):  # of a header that is spoilt as it is
        tree = {**tree, "__metadata__": {"blemish": json.dumps(tree["__metadata__"]["blemish"])}}
    text = json.dumps(tree).encode()
    return len(text).to_bytes(8, "little") + text + sound[8 + int.from_bytes(sound[:8], "little") :]


def read_bank(path: Path) -> object:
    from anomaly.inspection.inspector import Inspector

    inspector = Inspector.load(path.parent)
    return inspector.predict(np.zeros((16, 16, 3), np.uint8)), inspector.known_sources


TARGETS = {
    target.name: target
    for target in (
        Target("recipe", "recipe.yaml", recipes, read_recipe, YAML_TOKENS, Tree(yaml_tree, yaml_text)),
        Target("dataset", "dataset.json", file_of_a_dataset("dataset.json"), read_header, JSON_TOKENS, JSON),
        Target("scene", "scenes/000000.json", file_of_a_dataset("scenes/000000.json"), read_scene, JSON_TOKENS, JSON),
        Target("coco", "annotations.json", file_of_a_dataset("annotations.json"), read_annotations, JSON_TOKENS, JSON),
        Target("png", "picture.png", pngs, read_picture, PNG_TOKENS, mend=with_checksums),
        Target("picture", "picture.tif", pictures, read_picture, BINARY_TOKENS),
        Target("exr", "picture.exr", exrs, read_exr, BINARY_TOKENS, instrumented=("blender_addon.rendering.exr",)),
        Target("obj", "part.obj", no_surroundings(*map(str.encode, (BOX, CORNER, FRAME))), read_part, OBJ_TOKENS),
        Target("stl", "part.stl", stls, read_part, STL_TOKENS),
        Target("glb", "part.glb", glbs, read_part, (*BINARY_TOKENS, *JSON_TOKENS), Tree(glb_tree, glb_bytes)),
        Target("gltf", "part.gltf", gltfs, read_part, JSON_TOKENS, JSON),
        Target(
            "bank", "bank.safetensors", banks, read_bank, JSON_TOKENS, Tree(bank_tree, bank_bytes),
            instrumented=("anomaly.inspection", "anomaly.patchcore"),
        ),
    )
}  # fmt: skip
