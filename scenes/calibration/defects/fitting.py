"""Defects of a recipe brought to be as large, as long, as dark and as frequent as masks show that real ones are.

Of each class three things are fitted: shape, contrast, frequency. A shape or a contrast moves by the quotient of the
medians of real and rendered flaws, its spread by that of their deviations, twice, each step rendered and measured. It
is kept where its distance from the real flaws falls in 19 of 20 draws with replacement; else it stays, with a name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenes.calibration.defects.measuring import Flaws, class_key, flaws_of
from scenes.calibration.defects.quantities import (
    ACROSS,
    ALONG,
    CHANGES,
    DENSITIES,
    FLATTER,
    LEVELS,
    LONGER,
    SPREAD,
    has,
    mean_count,
    of_class,
    scaled,
    with_mean,
)
from scenes.calibration.distances import centre_and_scale, quantile_distance
from scenes.calibration.parameters import CalibrationError, changed_by_lots
from scenes.calibration.photographs import refuse_other_scale
from scenes.files import content_of
from scenes.formats.registry import read_samples
from scenes.formats.sample import Sample
from scenes.jobs.progress import Progress
from scenes.quantities.distribution import Poisson
from scenes.recipes.paths import Quantity, quantity_at, replaced
from scenes.recipes.recipe import Recipe

Floats = NDArray[np.float64]
# Frames of a recipe, so many, with their masks, in a folder of their own.
Frames = Callable[[Recipe, Path, int], Sequence[Sample]]

FEWEST, FEWEST_SURFACES = 8, 3  # real flaws of a class, and surfaces that show them
STEPS = 2
STEP = 4.0  # times larger or smaller a quantity may become in one step
LEAST_A_FRAME = 1.0  # flaws of a class in the frames that are measured
ENOUGH = 0.95  # share of draws in which a distance has to fall; it is the best of many steps, by chance too
DRAWS = 200
LEAST_SCALE = 0.02  # of logarithms and contrasts: flaws that are all alike still allow this deviation
FEW = "found {count} on {surfaces} surfaces; {fewest} on {fewest_surfaces} or more are needed"


@dataclass(frozen=True)
class Labelled:
    """Photographs with masks of their defects, and what renders frames with theirs."""

    folder: Path
    frames: Frames

    def samples(self, recipe: Recipe) -> list[Sample]:
        """Those that are labelled. Raises SampleError, PictureError, and CalibrationError for ones of another scale."""
        samples = read_samples(self.folder)
        refuse_other_scale(self.folder, samples, recipe)
        return samples


def digest_of(samples: Sequence[Sample]) -> str:
    """SHA-256 of all pictures and masks. Raises OSError."""
    found = hashlib.sha256()
    for sample in samples:
        for path in (sample.image_path, *sample.annotation.files()):
            found.update(hashlib.sha256(content_of(path)).digest())
    return found.hexdigest()


@dataclass(frozen=True, eq=False)
class ClassFit:
    """What came of one class.

    real, before, after: its flaws; after is of the recipe that is written. rate_real, rate_before, rate_after: flaws a
    picture; of the recipe those in sight. rate_interval: 90 % of draws of surfaces. moved: what changed, by its path.
    """

    name: str
    real: Flaws
    before: Flaws | None
    after: Flaws | None
    rate_real: float
    rate_interval: tuple[float, float]
    rate_before: float | None
    rate_after: float | None
    moved: Mapping[str, Quantity]


@dataclass(frozen=True)
class DefectFit:
    """What came of all classes: the recipe with its fitted defects, and what stays as it was, with the reason."""

    recipe: Recipe
    classes: tuple[ClassFit, ...]
    stays: Mapping[str, str]


def fit_defects(
    recipe: Recipe, samples: Sequence[Sample], frames: Frames, home: Path, count: int, seed: int, progress: Progress
) -> DefectFit:
    """Fit a recipe's defects to those that labelled photographs show.

    frames: renders; count: frames of each recipe that is tried; home: where they lie. Raises CalibrationError where no
    class of the photographs is one of the recipe's, or lots have defects of their own; SampleError, PictureError, and
    what `frames` raises.
    """
    for path, found in changed_by_lots(recipe).items():
        if path.startswith("defects."):
            raise CalibrationError(f"{recipe.name}: {path}: {found}; expected defects that are the same in all of them")
    real = flaws_of(samples, "measuring real defects", progress)
    stays, known = _classes(recipe, real)
    rendered: dict[str, dict[str, Flaws]] = {}

    def measured(tried: Recipe) -> dict[str, Flaws]:
        shown = _shown(tried, known)
        key = shown.model_dump_json()
        if key not in rendered:
            name = "as-it-was" if not rendered else f"tried-{len(rendered)}"
            rendered[key] = flaws_of(frames(shown, home / name, count), f"measuring defects, {name}", progress)
        return rendered[key]

    tries = [recipe]
    for _ in range(STEPS):
        seen = measured(tries[-1])
        step: dict[str, Quantity] = {}
        for name in known:
            if name in seen:
                step |= shape_step(tries[-1], name, real[name], seen[name])
                step |= contrast_step(tries[-1], name, real[name], seen[name])
        tries.append(replaced(tries[-1], step))
    chosen: dict[str, dict[str, Quantity]] = {}
    for name in known:
        if name not in measured(recipe):
            stays[name] = "no frame of the recipe shows one"
            continue
        chosen[name], reasons = _chosen(recipe, name, real[name], tries, [measured(tried) for tried in tries], seed)
        stays |= reasons
    fitted = replaced(recipe, {path: quantity for of in chosen.values() for path, quantity in of.items()})
    last = measured(fitted)
    often: dict[str, Quantity] = {}
    classes = []
    for name in known:
        before, after = measured(recipe).get(name), last.get(name)
        interval = rate_interval(real[name], seed)
        wanted = float(real[name].counts.mean())
        was = None if before is None else _rates(recipe, name, before, seed)
        now = None if after is None else _rates(fitted, name, after, seed)
        moved = dict(chosen.get(name, {}))
        if now is not None:
            frequencies, why = _frequencies(fitted, name, wanted, now, interval)
            stays |= {} if why is None else {f"{name}, how often": why}
            often |= frequencies
            moved |= frequencies
            now = (wanted, *interval) if frequencies else now
        rates = [None if found is None else found[0] for found in (was, now)]
        classes.append(ClassFit(name, real[name], before, after, wanted, interval, rates[0], rates[1], moved))
    return DefectFit(replaced(fitted, often), tuple(classes), stays)


def shape_step(recipe: Recipe, name: str, real: Flaws, rendered: Flaws) -> dict[str, Quantity]:
    """Quantities of length and breadth, moved so that area and elongation become those of the real flaws."""
    (area, longer), spread = _apart(real.shapes(), rendered.shapes())
    along, across = np.exp((area + longer) / 2), np.exp((area - longer) / 2)
    step = {}
    for position in of_class(recipe, name):
        turns = [(path, 1) for path in has(recipe, position, LONGER)]
        turns += [(path, -1) for path in has(recipe, position, FLATTER)]
        lengths, breadths = has(recipe, position, ALONG), has(recipe, position, ACROSS)
        alone = not (lengths and breadths)  # then both axes follow the one quantity
        for path in lengths:
            step[path] = scaled(recipe, path, _held(np.exp(area / 2) if alone else along), spread[0])
        for path in breadths:
            step[path] = scaled(recipe, path, _held(np.exp(area / 2) if alone else across), spread[0])
        for path, sign in turns:
            step[path] = scaled(recipe, path, _held(np.exp(sign * longer)), spread[1])
    return step


def contrast_step(recipe: Recipe, name: str, real: Flaws, rendered: Flaws) -> dict[str, Quantity]:
    """Reflectances, moved so that flaws stand out as the real ones do; none where they stand out to the other side."""
    theirs, ours = (float(np.median([*flaws.contrasts().ravel()] or [0.0])) for flaws in (real, rendered))
    step = {}
    for position in of_class(recipe, name):
        for path in has(recipe, position, CHANGES):
            if theirs * ours > 0:
                step[path] = scaled(recipe, path, _held(theirs / ours))
        for path in has(recipe, position, LEVELS):
            step[path] = scaled(recipe, path, _held((1 + theirs) / max(1 + ours, 1 / STEP)))
    return step


def rate_interval(flaws: Flaws, seed: int) -> tuple[float, float]:
    """90 % of draws with replacement of the surfaces: flaws a picture."""
    rng = np.random.default_rng([seed, 5])
    names, place = np.unique(flaws.groups, return_inverse=True)
    pictures, found = np.bincount(place), np.bincount(place, weights=flaws.counts)
    drawn = rng.integers(len(names), size=(DRAWS, len(names)))
    low, high = np.quantile(found[drawn].sum(axis=1) / pictures[drawn].sum(axis=1), (0.05, 0.95))
    return float(low), float(high)


def distance(real: Floats, rendered: Floats) -> float:
    """How far values (n, d) and (m, d) of flaws lie apart, in deviations of the real ones."""
    scale = centre_and_scale(real, LEAST_SCALE)[1]
    return quantile_distance(real / scale, rendered / scale)


def floor_distance(real: Floats, count: int, seed: int) -> float:
    """How far so many flaws of the same kind lie from the real ones in nine of ten draws with replacement."""
    rng = np.random.default_rng([seed, 7])
    drawn = [[rng.integers(len(real), size=size) for size in (len(real), count)] for _ in range(DRAWS)]
    return float(np.quantile([distance(real[first], real[second]) for first, second in drawn], 0.9))


def share_nearer(real: Floats, before: Floats, after: Floats, seed: int) -> float:
    """In what share of draws with replacement, of all three, `after` is nearer to the real values than `before`."""
    rng = np.random.default_rng([seed, 6])

    def draw(rows: Floats) -> Floats:
        return np.asarray(rows[rng.integers(len(rows), size=len(rows))])

    nearer = 0
    for _ in range(DRAWS):
        photographs = draw(real)
        nearer += distance(photographs, draw(after)) < distance(photographs, draw(before))
    return nearer / DRAWS


def _classes(recipe: Recipe, real: Mapping[str, Flaws]) -> tuple[dict[str, str], list[str]]:
    """What of the classes stays with its reason, and the names of those that are fitted."""
    ours = {class_key(entry.class_name): entry.class_name for entry in recipe.defects}
    stays, known = {}, []
    for key, flaws in sorted(real.items()):
        surfaces = len(np.unique(flaws.groups[flaws.counts > 0]))
        if key not in ours:
            stays[key] = f"is no class of the recipe, which has {', '.join(sorted(set(ours.values())))}"
        elif len(flaws.area) < FEWEST or surfaces < FEWEST_SURFACES:
            stays[key] = FEW.format(
                count=len(flaws.area), surfaces=surfaces, fewest=FEWEST, fewest_surfaces=FEWEST_SURFACES
            )
        else:
            known.append(key)
    stays |= {key: "no mask of the photographs shows one" for key in ours if key not in real}
    if not known:
        told = "; ".join(f"{name} {why}" for name, why in stays.items())
        raise CalibrationError(f"{recipe.name}: found no class of defects that its masks determine: {told}")
    return stays, known


def _chosen(
    recipe: Recipe, name: str, real: Flaws, tries: Sequence[Recipe], seen: Sequence[Mapping[str, Flaws]], seed: int
) -> tuple[dict[str, Quantity], dict[str, str]]:
    """Of each step's quantities those with which frames were nearest, and why the others stay."""
    quantities: dict[str, Quantity] = {}
    stays = {}
    for what, values, names in (
        ("shape", Flaws.shapes, (*ALONG, *ACROSS, *FLATTER, *LONGER)),
        ("contrast", Flaws.contrasts, (*CHANGES, *LEVELS)),
    ):
        paths = [path for position in of_class(recipe, name) for path in has(recipe, position, names)]
        theirs, ours = values(real), [values(found[name]) if name in found else np.zeros((0, 1)) for found in seen]
        if not paths:
            stays[f"{name}, {what}"] = "no quantity of the recipe says it alone"
        elif min(map(len, (theirs, ours[0]))) < FEWEST:
            stays[f"{name}, {what}"] = f"fewer than {FEWEST} can be compared"
        else:
            floor = floor_distance(theirs, len(ours[0]), seed)
            apart = [distance(theirs, rows) if len(rows) >= FEWEST else np.inf for rows in ours]
            best = 0 if apart[0] <= floor else int(np.argmin(apart))
            share = share_nearer(theirs, ours[0], ours[best], seed) if best else 0.0
            if share >= ENOUGH:
                quantities |= {path: quantity_at(tries[best], path) for path in paths}
            elif apart[0] <= floor:
                stays[f"{name}, {what}"] = "is as near to the photographs as they are to each other"
            else:
                stays[f"{name}, {what}"] = f"no step came nearer for certain (in {100 * share:.0f} % of draws)"
    return quantities, stays


def _apart(real: Floats, rendered: Floats) -> tuple[Floats, Floats]:
    """Differences of the medians (d,) of logarithms, and quotients of their deviations."""
    (theirs, wide), (ours, narrow) = (centre_and_scale(rows, LEAST_SCALE) for rows in (real, rendered))
    return theirs - ours, np.clip(wide / narrow, 1 / SPREAD, SPREAD)


def _held(factor: float) -> float:
    return float(np.clip(factor, 1 / STEP, STEP))


def _shown(recipe: Recipe, names: Sequence[str]) -> Recipe:
    """The recipe as its defects are measured: those of some classes alone, and enough of them."""
    off = [k for k, entry in enumerate(recipe.defects) if class_key(entry.class_name) not in names]
    counts: dict[str, Quantity] = {}
    for name in names:
        for position, mean in _means(recipe, name).items():
            counts[f"defects.{position}.count"] = Poisson(mean * _more(recipe, name))
    shown = replaced(recipe, counts).without("impurities")
    return shown.model_copy(
        update={"switched_off": tuple(sorted({*shown.switched_off, *(f"defects.{k}" for k in off)})), "calibrate": {}}
    )


def _means(recipe: Recipe, name: str) -> dict[int, float]:
    """How many of each counted defect of a class the recipe draws a frame, by its position."""
    means = {position: mean_count(recipe, position) for position in of_class(recipe, name)}
    return {position: mean for position, mean in means.items() if mean is not None}


def _more(recipe: Recipe, name: str) -> float:
    """How many times as many are drawn where they are measured."""
    drawn = sum(_means(recipe, name).values())
    return max(1.0, LEAST_A_FRAME / drawn) if drawn > 0 else 1.0


def _rates(recipe: Recipe, name: str, seen: Flaws, seed: int) -> tuple[float, float, float]:
    """Flaws in sight a frame of the recipe itself, and their interval, from what is seen where more are drawn."""
    low, high = rate_interval(seen, seed)
    more = _more(recipe, name)
    return float(seen.counts.mean()) / more, low / more, high / more


def _frequencies(
    recipe: Recipe, name: str, wanted: float, rates: tuple[float, float, float], interval: tuple[float, float]
) -> tuple[dict[str, Quantity], str | None]:
    """How many there are, moved where the intervals of photographs and frames are apart; else why it stays."""
    rate, low, high = rates
    if interval[0] <= high and low <= interval[1]:
        found, real = (f"{ends[0]:.2g} to {ends[1]:.2g}" for ends in ((low, high), interval))
        return {}, f"{rate:.2g} a picture ({found}) is not ruled out by the photographs ({real})"
    if rate <= 0:
        return {}, "no frame of the recipe shows one"
    moved: dict[str, Quantity] = {}
    for position, mean in _means(recipe, name).items():
        path = f"defects.{position}.count"
        count = with_mean(quantity_at(recipe, path), mean * wanted / rate)
        if count is None:
            return {}, f"{path} is neither poisson nor a choice; write it as {{poisson: {mean * wanted / rate:.2g}}}"
        moved[path] = count
    if not moved:
        for position in of_class(recipe, name):
            for path in has(recipe, position, DENSITIES):
                moved[path] = scaled(recipe, path, _held(wanted / rate))
    return moved, None if moved else "no quantity of the recipe says it"
