"""Edits that keep their labels: every unit is checked, tried again where it failed, and in the end left as it was.

A unit is what is edited or left as a whole, such as a defect and all that touches it; see `generator.Editing`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffusion_refine.editing.label_check import LOST, Limits, Verdict, check, swapped
from diffusion_refine.editing.pixels import colour, pasted
from diffusion_refine.editing.relabelling import Found
from diffusion_refine.synthesis.generator import (
    ClassSwap,
    Editing,
    FrameStream,
    GeneratedFrame,
    Generator,
    Ids,
    SourceFrame,
)
from diffusion_refine.synthesis.tracking import DIGITS, Tracked, reclassed, told, tracked_by
from procgen.surface.layer import Instance

REFINED, PARTLY, KEPT, UNTOUCHED = "refined", "partly refined", "kept", "nothing to refine"
OUTCOMES = (REFINED, PARTLY, KEPT, UNTOUCHED)


def edited(generator: Generator, editing: Editing, frame: SourceFrame, stream: FrameStream) -> GeneratedFrame:
    """A frame with every unit from the first attempt that was accepted.

    The masks of defects stay, but for those that are found again where an edit has moved their edges.
    """
    units, before, defects = editing.units(frame, stream.variant), colour(frame.image), frame.defects
    image, classes, placed = frame.image, frame.classes, frame.defects
    count = int(units.max())
    waiting = set(range(1, count + 1))
    swaps: dict[int, ClassSwap] = {}
    found: dict[int, Found] = {}
    judged: dict[int, Verdict] = {}
    prompts: dict[str, None] = {}
    refused: list[dict[str, Any]] = []
    attempts = 0
    while waiting and attempts < editing.attempts:
        where = np.isin(units, list(waiting))
        made = generator.generate(frame, where, replace(stream, attempt=attempts))
        prompts |= dict.fromkeys(made.prompts)
        asked = {swap.instance: swap for swap in made.swaps}
        tried = pasted(image, made.image, where)
        after = colour(tried)
        tracked = tracked_by(editing.relabelling, before, after, placed, defects[where], made.found)
        verdicts = verdicts_on(before, after, defects, editing.limits, asked, tracked, made.judged)
        failed = {
            verdict.instance: units_at(units, defects, verdict.instance) & waiting
            for verdict in verdicts
            if not verdict.accepted
        }
        refused += [
            {"attempt": attempts, **written(verdict), **_word(asked.get(verdict.instance))}
            for verdict in verdicts
            if failed.get(verdict.instance)
        ]
        bad = set[int]().union(*failed.values())
        good = np.isin(units, list(waiting - bad))
        image, classes = pasted(image, tried, good), np.where(good, made.classes, classes)
        placed = np.where(good, tracked.ids, placed)
        swaps |= {number: swap for number, swap in asked.items() if good[defects == number].any()}
        judged |= {number: verdict for number, verdict in made.judged.items() if good[defects == number].any()}
        found |= {number: again for number, again in tracked.found.items() if good[defects == number].any()}
        waiting, attempts = bad, attempts + 1
    after, instances = colour(image), with_classes(frame.instances, swaps.values())
    tracked = Tracked(placed, found)
    relabelled = {}
    if editing.relabelling is not None or found:
        classes = reclassed(classes, defects, placed, instances, editing.bits)
        relabelled = {"labels": told(defects, tracked)}
    instances = tuple(one for one in instances if one.family != "defect" or one.id not in tracked.gone)
    return GeneratedFrame(
        image,
        classes,
        placed,
        frame.impurities,
        instances,
        record={
            "outcome": outcome_of(count, len(waiting)),
            "prompts": list(prompts),
            "attempts": attempts,
            "swapped": [
                {"instance": swap.instance, "from": swap.before, "to": swap.after, "word": swap.word}
                for swap in (swaps[i.id] for i in instances if i.family == "defect" and i.id in swaps)
            ],
            "metrics": dict(editing.measure(before, after, (defects > 0) | (placed > 0))),
            "checks": [
                written(verdict) for verdict in verdicts_on(before, after, defects, editing.limits, (), tracked, judged)
            ],
            "refused": refused,
            **relabelled,
        },
    )


def verdicts_on(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    defects: Ids,
    limits: Limits | None,
    asked: Collection[int],
    tracked: Tracked,
    judged: Mapping[int, Verdict],
) -> tuple[Verdict, ...]:
    """Of the label check on every defect, those in `asked` to have become another; without limits on lost ones alone.

    tracked: where the defects are after the edit. judged: verdicts that there are already, of those made anew.
    """
    if limits is None:
        return tuple(Verdict(number, False, reason=LOST) for number in tracked.lost)
    verdicts = {verdict.instance: verdict for verdict in check(before, after, defects, limits, tracked.ids)}
    return tuple(
        swapped(before, after, defects, verdict, limits) if number in asked and number not in judged else verdict
        for number, verdict in (verdicts | dict(judged)).items()
    )


def with_classes(instances: Iterable[Instance], swaps: Iterable[ClassSwap]) -> tuple[Instance, ...]:
    """Instances with the classes that defects among them became."""
    became = {swap.instance: swap.after for swap in swaps}
    return tuple(
        replace(instance, class_name=became.get(instance.id, instance.class_name))
        if instance.family == "defect"
        else instance
        for instance in instances
    )


def outcome_of(units: int, left: int) -> str:
    """What came of a frame of so many units, of which some were left as they were."""
    if not units:
        return UNTOUCHED
    return {0: REFINED, units: KEPT}.get(left, PARTLY)


def units_at(units: NDArray[np.int64], defects: Ids, instance: int) -> set[int]:
    """Units that a defect lies in."""
    return set(np.unique(units[defects == instance]).tolist()) - {0}


def written(verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON."""
    return {
        name: round(value, DIGITS) if isinstance(value, float) else value for name, value in asdict(verdict).items()
    }


def _word(swap: ClassSwap | None) -> dict[str, str]:
    return {} if swap is None else {"word": swap.word}
