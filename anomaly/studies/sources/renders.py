"""The sets of renders that a study needs: recipes with a few fields changed, and the command that renders them.

Rendering goes through `blemish render` in a process of its own: what comes back is a dataset on disk, nothing else.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomaly.studies.engine.settings import Changes, RenderedSettings, StudyBase
from anomaly.studies.engine.study_file import StudyFile
from procgen.errors import BlemishError
from scenes.datasets.files import remove_leftovers, write_atomically
from scenes.datasets.schema import ANNOTATIONS, committed
from scenes.datasets.verify import damages
from scenes.jobs.child_process import CHILD_PROGRAM
from scenes.parts.mesh import MeshRecipe
from scenes.quantities.distribution import shown
from scenes.recipes.reading import RecipeError, recipe_fields, recipe_path, shipped_recipes
from scenes.recipes.recipe import Recipe, recipe_from

POLL = 0.5  # seconds between looks at how many frames there are


class RenderingError(BlemishError):
    """A dataset that could not be made."""


@dataclass(frozen=True)
class RenderedSet:
    """A dataset to be rendered; name: what it is in the study, as in "stained, turned"."""

    name: str
    recipe: Recipe
    frames: int
    seed: int
    samples: int

    @property
    def depends_on(self) -> dict[str, Any]:
        """All that decides the frames, as JSON values."""
        part = self.recipe.part
        mesh = part.check() if isinstance(part, MeshRecipe) else None
        written = self.recipe.model_dump(mode="json")
        return {"recipe": written, "mesh": mesh, "frames": self.frames, "seed": self.seed, "samples": self.samples}


def held_out_sets(file: StudyFile[StudyBase], rendered: RenderedSettings | None) -> tuple[RenderedSet, ...]:
    """The renders that stand for photographs, if the study has such: clean ones, and those with defects."""
    if rendered is None:
        return ()
    recipe = recipe_with(file, rendered.recipe, "real.rendered.recipe", rendered.changes, "real.rendered.changes")
    samples, seed = rendered.samples, rendered.seed
    return (
        RenderedSet(
            "held out, clean", recipe.without("defects", "impurities"), rendered.clean_frames, seed + 1, samples
        ),
        RenderedSet("held out", recipe, rendered.frames, seed, samples),
    )


def changed(fields: Mapping[str, Any], changes: Changes) -> dict[str, Any]:
    """A recipe's fields with some of them replaced; a path names entries of a list by number or by their kind.

    Raises ValueError, as "PATH: found X; expected Y", for a path that leads nowhere.
    """
    result = deepcopy(dict(fields))
    for path, value in changes.items():
        here: Any = result
        *way, last = str(path).split(".")
        for name in way:
            here = here[_place(here, name, path)]
        if isinstance(here, dict):
            here[last] = deepcopy(value)
        else:
            here[_place(here, last, path)] = deepcopy(value)
    return result


def render(wanted: RenderedSet, folder: Path, progress: Callable[[int, int], None]) -> None:
    """Render a set into `folder`, or go on with it; progress: told the frames that are there, and of how many.

    Raises RenderingError with what the command said.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    recipe = folder.with_name(f"{folder.name}.yaml")  # JSON is YAML
    remove_leftovers(recipe.parent)
    write_atomically(recipe, json.dumps(wanted.recipe.model_dump(mode="json"), indent=1).encode())
    command = ["render", str(recipe), "--out", str(folder)]
    command += ["--frames", str(wanted.frames), "--seed", str(wanted.seed), "--samples", str(wanted.samples)]
    make_dataset(command, folder, wanted.name, lambda: progress(len(committed(folder, wanted.frames)), wanted.frames))


def make_dataset(arguments: Sequence[str], folder: Path, name: str, look: Callable[[], None]) -> None:
    """Run `blemish` with arguments that make a dataset in `folder`, looking now and then.

    Raises RenderingError, for the dataset's name in the study, with what the command said.
    """
    code, said = _run([sys.executable, "-c", CHILD_PROGRAM, *arguments], look)
    if code or not is_rendered(folder):
        raise RenderingError(f"{name}: {_reason(said, code)}")


def train_model(arguments: Sequence[str], name: str, look: Callable[[], None]) -> None:
    """Run `blemish` with arguments that train the model of a name in the study. Raises RenderingError likewise."""
    code, said = _run([sys.executable, "-c", CHILD_PROGRAM, *arguments], look)
    if code:
        raise RenderingError(f"{name}: {_reason(said, code)}")


def _reason(said: str, code: int) -> str:
    return said.strip().removeprefix("blemish: ") or f"the command ended with {code}"


def _run(command: list[str], look: Callable[[], None]) -> tuple[int, str]:
    """Run a command, which ends with this process, looking now and then; its exit code and its standard error."""
    environment = {name: value for name, value in os.environ.items() if name != "BLEMISH_PROGRESS"}
    reading, holding = os.pipe()  # not `PIPE`, whose end `communicate` would close
    with os.fdopen(holding, "wb"):
        try:
            process = subprocess.Popen(
                command,
                env=environment,
                stdin=reading,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
        finally:
            os.close(reading)
        try:
            while True:
                try:
                    said = process.communicate(timeout=POLL)[1]
                    return process.returncode, said
                except subprocess.TimeoutExpired:
                    look()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()


def is_rendered(folder: Path) -> bool:
    """Whether a dataset is there whole, its annotations being written last, and as it was written."""
    return (folder / ANNOTATIONS).is_file() and not any(damages(folder))


def recipe_with(file: StudyFile[StudyBase], name: str, name_field: str, changes: Changes, changes_field: str) -> Recipe:
    """A shipped recipe, or one beside the study's file, with fields changed. Raises StudyError for a field."""
    source = name if name in shipped_recipes() else str(file.beside(name))
    try:
        fields = recipe_fields(source)
        if not isinstance(fields, dict):
            recipe_from(fields, source)  # says what is wrong with it
        assert isinstance(fields, dict)
        unchanged = recipe_from(fields, str(recipe_path(source)))
    except RecipeError as error:
        raise file.error(name_field, "; ".join(error.problems)) from None
    if not changes:
        return unchanged
    try:
        return recipe_from(changed(fields, changes), str(recipe_path(source)))
    except ValueError as error:
        raise file.error(changes_field, str(error)) from None
    except RecipeError as error:
        raise file.error(changes_field, "; ".join(error.problems)) from None


def _place(here: Any, name: str, path: str) -> str | int:
    """The key or index that a step of a path stands for."""
    if isinstance(here, dict) and name in here:
        return name
    if isinstance(here, list):
        kinds = [entry.get("kind") if isinstance(entry, dict) else None for entry in here]
        if name.isdecimal() and int(name) < len(here):
            return int(name)
        if name in kinds:
            return kinds.index(name)
        allowed = [str(kind) for kind in kinds if kind] + [f"0 to {len(here) - 1}"] * bool(here)
    else:
        allowed = [str(key) for key in here] if isinstance(here, dict) else []
    raise ValueError(f"{path}: found {shown(name)}; expected {', '.join(allowed) or 'a path that ends before it'}")
