"""What a fit leaves on disk: the recipe, and beside it a folder with its figures, its page and its sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scenes.calibration.calibrating import DETERMINED, WITHIN, Calibration, Distance
from scenes.calibration.defects.fitting import DefectFit
from scenes.calibration.defects.measuring import FIGURES
from scenes.calibration.parameters import as_written, confounded_in, rounded
from scenes.calibration.photographs import Photographs
from scenes.datasets.files import sealed
from scenes.recipes.paths import Quantity, quantity_at
from scenes.recipes.recipe import Recipe
from scenes.version import blemish_version

BAND = (0.05, 0.5, 0.95)  # of a statistic over pictures: low end, middle, high end
AT_BOUND = 0.01  # of the range between a parameter's bounds
SCHEMA = 1


def folder_of(out: Path) -> Path:
    """Where the figures, the page and the renders of a fit lie: beside the recipe that comes of it."""
    return out.with_name(f"{out.stem}-fit")


def quantities_of(calibration: Calibration, defects: DefectFit | None = None) -> dict[str, Quantity]:
    """What the fitted recipe has at the paths that moved."""
    found = {
        parameter.path: quantity_at(calibration.recipe, parameter.path)
        for parameter, moved in zip(calibration.parameters, calibration.moved, strict=True)
        if moved
    }
    for fitted in defects.classes if defects else ():
        found |= fitted.moved
    return found


def parameter_rows(calibration: Calibration) -> list[dict[str, Any]]:
    """Each parameter: what it was and is, the interval of its centre, and how much of it pictures give away."""
    rows = []
    for k, parameter in enumerate(calibration.parameters):
        low, high = parameter.value(calibration.centre_interval[k])
        fitted = quantity_at(calibration.recipe, parameter.path)
        rows.append(
            {
                "path": parameter.path,
                "before": as_written({"_": parameter.quantity})["_"],
                "after": as_written({"_": fitted})["_"],
                "bounds": [parameter.low, parameter.high],
                "centre": rounded(float(parameter.value(calibration.after.centres[k]))),
                "centre_interval": [rounded(float(low)), rounded(float(high))],
                "determined": rounded(float(calibration.determined[k])),
                "moved": _how(bool(calibration.moved[k]), float(calibration.determined[k])),
            }
        )
    return rows


def statistic_rows(calibration: Calibration, real: Photographs) -> list[dict[str, Any]]:
    """Each statistic: its band over photographs, over frames before and after, and whether frames can reach it."""
    before, after = (
        np.quantile(frames.statistics[:, 0], BAND, axis=0)
        for frames in (calibration.frames_before, calibration.frames_after)
    )
    bands = np.quantile(real.statistics, BAND, axis=0)
    return [
        {
            "name": name,
            "real": _rounded(bands[:, k]),
            "before": _rounded(before[:, k]),
            "after": _rounded(after[:, k]),
            "reachable": bool(calibration.reachable[k]),
        }
        for k, name in enumerate(real.names_of)
    ]


def undetermined(recipe: Recipe, calibration: Calibration) -> dict[str, str]:
    """What stays as it was, and why."""
    found = {
        parameter.path: f"pictures give away {max(float(share), 0.0):.2f} of its variance, less than {DETERMINED:g}"
        for parameter, share, moved in zip(
            calibration.parameters, calibration.determined, calibration.moved, strict=True
        )
        if not moved
    }
    return found | confounded_in(recipe, calibration.parameters)


def at_bounds(calibration: Calibration) -> dict[str, str]:
    """What moved freely and ended at a bound, and what that may mean: a fit fakes with it what is held."""
    return {
        parameter.path: f"ends at its bound, {float(parameter.value(float(round(centre)))):g}: photographs may "
        "ask for more of it than the bound allows, or for another quantity that was held; do not believe it unseen"
        for parameter, centre, moved, share in zip(
            calibration.parameters, calibration.after.centres, calibration.moved, calibration.determined, strict=True
        )
        if moved and share >= DETERMINED and not AT_BOUND < centre < 1 - AT_BOUND
    }


def defect_rows(before: Recipe, defects: DefectFit) -> list[dict[str, Any]]:
    """Each class: medians of real and rendered flaws, how often they are, and what moved."""
    rows = []
    for fitted in defects.classes:
        sides = {"real": fitted.real, "before": fitted.before, "after": fitted.after}
        figures = {
            name: {
                side: None if flaws is None or np.isnan(getattr(flaws, name)).all() else _bands(getattr(flaws, name))
                for side, flaws in sides.items()
            }
            for name in FIGURES
        }
        rates = {"real": fitted.rate_real, "before": fitted.rate_before, "after": fitted.rate_after}
        rows.append(
            {
                "class": fitted.name,
                "flaws": len(fitted.real.area),
                **figures,
                "per picture": {side: None if rate is None else rounded(rate) for side, rate in rates.items()},
                "per picture, interval": _rounded(fitted.rate_interval),
                "moved": {
                    path: {
                        "before": as_written({"_": quantity_at(before, path)})["_"],
                        "after": as_written({"_": quantity})["_"],
                    }
                    for path, quantity in fitted.moved.items()
                },
            }
        )
    return rows


def _bands(values: Any) -> list[float]:
    return _rounded(np.nanquantile(values, BAND))


def record(
    recipe: Recipe,
    calibration: Calibration,
    real: Photographs,
    settings: Mapping[str, Any],
    defects: DefectFit | None = None,
) -> bytes:
    """All figures of a fit as a JSON file with its own digest."""
    return sealed(
        {
            "schema": SCHEMA,
            "generator": {"blemish": blemish_version()},
            "settings": dict(settings),
            "photographs": [
                {"name": name, "sha256": digest, "reserved": bool(reserved)}
                for name, digest, reserved in zip(real.names, real.digests, real.reserved, strict=True)
            ],
            "accepted": calibration.accepted,
            "verdict": calibration.verdict,
            "distances": {
                "floor": _distance(calibration.floor),
                "before": _distance(calibration.distance_before),
                "after": _distance(calibration.distance_after),
            },
            "parameters": parameter_rows(calibration),
            "undetermined": undetermined(recipe, calibration),
            "at bounds": at_bounds(calibration),
            "statistics": statistic_rows(calibration, real),
            **({"defects": defect_rows(recipe, defects), "defects that stay": dict(defects.stays)} if defects else {}),
        }
    )


def _how(moved: bool, determined: float) -> str:
    if not moved:
        return "stays"
    return "freely" if determined >= DETERMINED else f"within {100 * WITHIN:.0f} %"


def _distance(distance: Distance) -> dict[str, float | None]:
    features = None if distance.features is None else rounded(distance.features)
    return {"statistics": rounded(distance.statistics), "features": features}


def _rounded(values: Sequence[float] | Any) -> list[float]:
    return [rounded(float(value)) for value in values]
