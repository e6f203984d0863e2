"""Rendering a recipe into a dataset by Blender processes that share its frames."""

import json
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from blender_addon.errors import RenderError
from blender_addon.workers.blend_input import check_blend, in_own_scene
from blender_addon.workers.blenders import USUAL, Blender, find
from blender_addon.workers.control import Control
from blender_addon.workers.devices import CPU, usable_device
from blender_addon.workers.job import CARDS_MARK, EXPORT, EXPORTED_MARK, LIST_CARDS, Job
from blender_addon.workers.process import Rendering, ask
from scenes import Dataset, DatasetWriter, Recipe, load_recipe
from scenes.datasets.lock import locked
from scenes.datasets.passes import PASSES, PassFormat, PassName, formats_of
from scenes.datasets.schema import HEADER, recipe_in
from scenes.jobs.executor import Executor
from scenes.jobs.frames import write_missing
from scenes.jobs.local import Local
from scenes.parts.mesh import MeshRecipe
from scenes.quantities.distribution import shown
from scenes.recipes.reading import shipped_recipes
from scenes.recipes.recipe import recipe_from

UNIT_MM = 1000.0  # of a mesh file that Blender wrote: metres


def render_dataset(
    recipe: Recipe | str | Path,
    out: str | Path,
    frames: int,
    seed: int = 0,
    *,
    samples: int = 32,
    workers: int | None = None,
    executor: Executor | None = None,
    without: Iterable[str] = (),
    passes: Collection[str] = (),
    pass_format: PassFormat = "png",
    blender: str | Path | None = None,
    device: str = CPU,
    blend: str | Path | None = None,
    on_begin: Callable[[int], None] = lambda missing: None,
    on_frame: Callable[[int], None] = lambda index: None,
    on_note: Callable[[str], None] = lambda sentence: None,
    control: Control | None = None,
) -> Dataset:
    """Render frames 0 to `frames` - 1 of a recipe into the folder `out` and give it back as a dataset.

    recipe: itself, or the name of a shipped one, a YAML file, or a dataset that was rendered from one.

    Frames that the folder already holds are kept, so a stopped run is taken up by calling again; the files are the same
    bytes whatever the number of `workers`, each of which is a Blender process with its share of the cores, or a
    graphics card of its own (by default one process, or one a card). One that is killed or crashes is replaced.
    executor: where they are, instead of on this machine. samples: Cycles samples a pixel. without: families to leave
    off ("defects", "impurities"), which changes nothing else. passes: what frames hold beside picture and masks, of
    `scenes.datasets.passes.PASSES`, as 16-bit PNG or as OpenEXR. blender: a Blender program or a Python with bpy, by
    default the bpy of this Python. device: one of `blender_addon.workers.devices.NAMES`; where no card is found for it,
    the processor serves, and `on_note` is told so.
    blend: the file whose own scene is rendered, where the recipe has a section `scene`; it is read, never written.
    on_begin: called once with the number of frames yet to render; on_frame: with the index of each as it is written.
    control: by which another thread pauses, goes on and cancels. Raises RecipeError, DatasetError, RenderError, and
    Cancelled where `control` said so.
    """
    recipe = recipe if isinstance(recipe, Recipe) else recipe_of(recipe)
    for family in without:
        recipe = recipe.without(family)
    formats = formats_of(known_passes(passes), pass_format)
    if workers is not None and workers < 1:
        raise RenderError(f"found {workers} workers; expected 1 or more")
    if executor is not None and device != CPU:
        raise RenderError(f"device: found {device} and workers on other machines; expected cpu, which those render on")
    scene = None
    if recipe.scene is not None or blend is not None:
        recipe, scene = in_own_scene(recipe, blend, Path(out), on_note)
    program = find(blender)
    device, cards = device_of(program, device, on_note)
    settings: dict[str, Any] = {"samples": samples, **({} if device == CPU else {"device": device})}
    if scene is not None:
        settings["blend"] = {"name": scene.path.name, "sha256": scene.digest}
    if program.version != USUAL:  # whose pictures are other bytes
        settings["blender"] = program.series
    with locked(out):
        writer = DatasetWriter(out, recipe, seed, frames, passes=formats, **settings)
        part = writer.recipe.part
        work = Rendering(
            Job(
                writer.recipe.model_dump_json(),
                seed,
                samples,
                formats,
                device=device,
                blend=str(scene.path) if scene else "",
                digest=scene.digest if scene else "",
            ),
            program,
            None if blender is None else str(blender),
            Path(part.path).read_bytes() if isinstance(part, MeshRecipe) else None,
            cards,
            control or Control(),
        )
        chosen = executor or Local(workers or max(1, cards))
        write_missing(writer, work, chosen, on_begin=on_begin, on_frame=on_frame)
    return Dataset(out)


def known_passes(names: Collection[str]) -> list[PassName]:
    """Passes by their names. Raises RenderError for a name that is none."""
    for name in names:
        if name not in PASSES:
            raise RenderError(f"--pass: found {shown(name)}; expected {', '.join(PASSES)}")
    return [name for name in PASSES if name in names]


def recipe_of(name_or_path: str | Path) -> Recipe:
    """A shipped recipe by name, one in a YAML file, or that of a dataset. Raises RecipeError, DatasetError."""
    folder = Path(name_or_path)
    if str(name_or_path) not in shipped_recipes() and (folder / HEADER).is_file():
        return recipe_in(folder)
    return load_recipe(name_or_path)


def with_part(recipe: Recipe, path: Path) -> Recipe:
    """The recipe with the exported mesh as its part. Raises RecipeError where they do not go together."""
    part = {"kind": "mesh", "path": str(path), "unit_mm": UNIT_MM}
    return recipe_from({**recipe.model_dump(mode="json"), "part": part}, f"{recipe.name} with {path.stem}")


def device_of(program: Blender, wanted: str, on_note: Callable[[str], None]) -> tuple[str, int]:
    """The device to render on and the number of its cards, 0 for the processor; says where it is not the one wanted."""
    if wanted == CPU:
        return CPU, 0
    usable_device(wanted, {})  # a name that is none costs no process
    found = cards_of(program)
    device, note = usable_device(wanted, found)
    if note:
        on_note(note)
    return device, len(found.get(device, ()))


def cards_of(program: Blender) -> dict[str, list[str]]:
    """Names of the graphics cards that a Blender can render on, by back end; none where its drivers crash it."""
    answers, _ = ask(program, LIST_CARDS, CARDS_MARK)
    return dict(json.loads(answers[-1])) if answers else {}


def export_from_blend(program: Blender, blend: Path, name: str, folder: Path) -> Path:
    """Have a Blender write an object of a .blend as a mesh file in `folder`. Raises RenderError where it cannot."""
    check_blend(blend)
    request = EXPORT + json.dumps([str(blend.resolve()), name, str(folder)])
    answers, errors = ask(program, request, EXPORTED_MARK)
    if not answers:
        raise RenderError(
            errors or f"{blend}: Blender {program.series} stopped while it opened the file; is it damaged?"
        )
    return Path(answers[-1])
