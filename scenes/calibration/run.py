"""A fit from photographs to a recipe's file: what it was begun with, its measurements, its page, its verdict."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

from scenes.calibration.calibrating import Calibration, Plan, calibrate
from scenes.calibration.defects.fitting import DefectFit, Labelled, digest_of, fit_defects
from scenes.calibration.measuring import Bench, Renderer
from scenes.calibration.parameters import CalibrationError, Parameter, free_parameters
from scenes.calibration.photographs import Features, Photographs, photographs
from scenes.calibration.record import folder_of, quantities_of, record
from scenes.calibration.report import page
from scenes.calibration.sheet import defect_rows_of, rows_of, sheet
from scenes.datasets.files import sealed_page, write_atomically
from scenes.datasets.lock import locked
from scenes.jobs.checkpoints import begin
from scenes.jobs.progress import Progress
from scenes.recipes.reading import fields_of, recipe_text
from scenes.recipes.recipe import Recipe, load_recipe, recipe_from
from scenes.recipes.rewriting import rewritten

SETTINGS, RENDERS, RECORD, PAGE, SHEET = "settings.json", "renders", "fit.json", "report.html", "sheet.png"
DEFECTS, DEFECT_SHEET = "defects", "defects.png"
SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, eq=False)
class Fit:
    """A finished fit: what came of it, of which photographs, of its defects where masks were given, and its page."""

    calibration: Calibration
    real: Photographs
    defects: DefectFit | None
    page: Path


def fit_recipe(
    name: str,
    folder: Path,
    out: Path,
    renderer: Callable[[Recipe], Renderer],
    features: Features | None,
    plan: Plan,
    samples: int,
    progress: Progress,
    on_free: Callable[[list[Parameter], bool], None] = lambda parameters, marked: None,
    labelled: Labelled | None = None,
    *,
    refuse: bool = True,
) -> Fit:
    """Fit the recipe of a name or path to the photographs of a folder, and write it to `out`.

    renderer: of a recipe. features: of a picture, the second distance; None for none. samples: what the renderer uses;
    kept with the settings. on_free: told what may be fitted, and whether the recipe marks it.
    labelled: photographs of flawed parts with masks, to which the defects are fitted when the rest is.
    refuse: whether a fit that is no better is refused, or given all the same.
    A fit that was stopped goes on where it was. A fit that is no better leaves its page and writes no recipe.
    Raises CalibrationError for one that is refused; RecipeError, SampleError, PictureError, DatasetError, and what the
    renderer raises.
    """
    if out.suffix not in SUFFIXES:
        raise CalibrationError(f"{out}: found the ending {out.suffix or 'none'}; expected a recipe's file, NAME.yaml")
    recipe = load_recipe(name)
    recipe_from(fields_of(recipe_text(name), name), str(out))  # what it names of files is found from there, too
    parameters = free_parameters(recipe)
    on_free(parameters, bool(recipe.calibrate))
    home = folder_of(out)
    if out.exists() and not (home / SETTINGS).is_file():
        raise CalibrationError(f"{out}: is there already, and not of a fit; choose another --out")
    render = renderer(recipe)
    with _one_thread():
        flawed = labelled.samples(recipe) if labelled else []
        real = photographs(folder, recipe, features, plan.seed, progress)
    with locked(home), _one_thread():
        settings = {
            "recipe": recipe.model_dump(mode="json"),
            "free": {parameter.path: [parameter.low, parameter.high] for parameter in parameters},
            "photographs": list(real.digests),
            "features": features is not None,
            "samples": samples,
            **asdict(plan),
            **({"masks": digest_of(flawed)} if labelled else {}),
        }
        begin(home / SETTINGS, settings)
        bench = Bench(home / RENDERS, tuple(parameters), real.names_of, real.colour, render, features, progress)
        found = calibrate(recipe, real, bench, plan)
        defects = None
        if labelled and found.accepted:
            where = home / DEFECTS
            defects = fit_defects(found.recipe, flawed, labelled.frames, where, plan.verified, plan.seed, progress)
            write_atomically(home / DEFECT_SHEET, sheet(defect_rows_of(defects)))
        picture = sheet(rows_of(found, real))
        write_atomically(home / SHEET, picture)
        write_atomically(home / RECORD, record(recipe, found, real, settings, defects))
        write_atomically(home / PAGE, sealed_page(page(recipe, found, real, picture, defects)))
        if found.accepted:
            text = rewritten(recipe_text(name), quantities_of(found, defects), name)
            recipe_from(fields_of(text, name), name)  # what is written can be read
            write_atomically(out, text.encode())
        elif refuse:
            raise CalibrationError(f"{out}: not written: {found.verdict}; see {home / PAGE}")
    return Fit(found, real, defects, home / PAGE)


def _one_thread() -> AbstractContextManager[object]:
    """Linear algebra on one thread: on several its sums are taken in other orders, and a descent carries the last digit
    of a sum into those that are written down."""
    import scipy.linalg  # noqa: F401  which brings a library of its own, told only once it is loaded
    from threadpoolctl import threadpool_limits

    held: AbstractContextManager[object] = threadpool_limits(1, user_api="blas")
    return held
