"""A dataset in, a refined one out: the same frames with the same masks, and as many swaps of their defects as wanted.

    frame v·F + i    variant v of frame i of F; variant 0 is the frame itself, refined

Variants are made of frames with a defect in sight; with D of these, variant v > 0 of the j-th is F + (v − 1)·D + j, so
that more variants extend a dataset. Every defect that an edit moved, faded or doubled is refused by the label check,
tried again, and left as it was rendered in the end. All of it is recorded with the frame.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import label
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from diffusion_refine.core.models import Model
from diffusion_refine.editing.label_check import Limits, Verdict, check, swapped
from diffusion_refine.editing.realism import (
    Pixels,
    Settings,
    colour,
    composited,
    realistic,
    share_map,
    strength_map,
    windows_for,
)
from diffusion_refine.editing.windows import Window, assembled, padded, padded_shape
from diffusion_refine.editing.word_swap import SwapSettings, swap_words
from diffusion_refine.metrics import fidelity as metrics
from diffusion_refine.prompts.captions import Subject, caption, subject_of
from diffusion_refine.prompts.vocabulary import DEFECTS, IMPURITIES, PARTS, swaps
from procgen.errors import BlemishError
from procgen.surface.layer import Family, Instance
from scenes.datasets.reader import Dataset, Frame
from scenes.datasets.schema import CLASSES
from scenes.datasets.writer import DatasetWriter

Ids = NDArray[np.uint16]
REFINED, PARTLY, KEPT, UNTOUCHED = "refined", "partly refined", "kept", "nothing to refine"
OUTCOMES = (REFINED, PARTLY, KEPT, UNTOUCHED)
ATTEMPTS = 4
DIGITS = 6  # of figures that are written

# What is done, how much of it is, and of how much.
Progress = Callable[[str, int, int], None]


class RefineError(BlemishError):
    """A dataset that cannot be refined, or not so."""


@dataclass(frozen=True)
class Plan:
    """What is to be done to every frame.

    variants: of every frame with a defect in sight, beside the refined frame. words: that a defect may become; those of
    the material's corpus when empty. attempts: with other noise, and other words, before a defect is left as it was.
    """

    realism: Settings = field(default_factory=Settings)
    swap: SwapSettings = field(default_factory=SwapSettings)
    limits: Limits = field(default_factory=Limits)
    variants: int = 0
    words: tuple[str, ...] = ()
    attempts: int = ATTEMPTS
    seed: int = 0

    def written(self) -> dict[str, Any]:
        """All that frames depend on, as JSON; the number of variants is none of it, so that it may grow."""
        parts = {name: asdict(getattr(self, name)) for name in ("realism", "swap", "limits")}
        parts["swap"]["blocks"] = list(parts["swap"]["blocks"])
        return {**parts, "words": list(self.words), "attempts": self.attempts, "seed": self.seed}


@dataclass(frozen=True, eq=False)
class Made:
    """One frame made: its pixels, class bits (H, W), instances, and the record of how."""

    pixels: Pixels
    classes: Ids
    instances: tuple[Instance, ...]
    record: dict[str, Any]


@dataclass(frozen=True)
class Summary:
    """Of a refined dataset: frames by what came of them, and edits that the label check refused."""

    frames: Counter[str]
    checked: int
    refused: int


def refine_dataset(
    source: Dataset, out: Path, model: Model, plan: Plan, progress: Progress | None = None
) -> tuple[Dataset, Summary]:
    """Refine every frame of a finished dataset into a new one; frames that the folder already holds are kept.

    Raises RefineError for a dataset that is not finished, or is its own output; DatasetError.
    """
    job = Job(source, model, plan)
    if out.resolve() == source.path.resolve():
        raise RefineError(f"{out}: is the dataset that is to be refined; choose another folder for --out")
    writer = DatasetWriter(
        out, source.recipe, source.seed, job.frames, classes=job.new_classes, refined=job.written(), **job.inherited()
    )
    missing = writer.missing()
    for done, index in enumerate(missing):
        if progress:
            progress("refining", done, len(missing))
        frame, variant = job.at(index)
        made = job.make(frame, variant)
        writer.write(
            index, made.pixels, made.classes, frame.defects, frame.impurities, frame.scene, made.instances, made.record
        )
    if progress and missing:
        progress("refining", len(missing), len(missing))
    writer.finish()
    refined = Dataset(out)
    return refined, summary_of(refined)


def summary_of(refined: Dataset) -> Summary:
    """What came of the frames of a refined dataset."""
    records = [frame.refinement or {} for frame in refined]
    return Summary(
        Counter(record.get("outcome", UNTOUCHED) for record in records),
        sum(len(record.get("checks", ())) for record in records),
        sum(len(record.get("refused", ())) for record in records),
    )


class Job:
    """A plan for one dataset and one model. Raises RefineError where they do not fit."""

    def __init__(self, source: Dataset, model: Model, plan: Plan) -> None:
        if not source.complete:
            raise RefineError(
                f"{source.path}: has {len(source)} of {source.header.frames} frames; run the command that began it "
                "again to finish it first"
            )
        self.source, self.model, self.plan = source, model, plan
        if plan.variants and not self.flawed:
            raise RefineError(f"{source.path}: shows no defect, so there is none to swap; leave --variants out")
        if plan.variants and not any(self.swaps.values()):
            raise RefineError(
                f"{source.path}: none of the words {', '.join(plan.words) or 'of its material'} can stand for its "
                "defects; name others with --word"
            )

    @cached_property
    def flawed(self) -> tuple[int, ...]:
        """Numbers of the frames with a defect in sight; looked for only where variants are made."""
        return tuple(frame.index for frame in self.source if frame.defects.any()) if self.plan.variants else ()

    @property
    def frames(self) -> int:
        return len(self.source) + self.plan.variants * len(self.flawed)

    def at(self, index: int) -> tuple[Frame, int]:
        """The frame of the source that frame `index` is made of, and which variant of it."""
        if index < len(self.source):
            return self.source[index], 0
        variant, place = divmod(index - len(self.source), len(self.flawed))
        return self.source[self.flawed[place]], variant + 1

    def inherited(self) -> dict[str, Any]:
        """The source's own settings: frames depend on them still."""
        return {name: value for name, value in self.source.header.settings.items() if name != "refined"}

    def written(self) -> dict[str, Any]:
        """What dataset.json says of the refinement."""
        header = (self.source.path / "dataset.json").read_bytes()
        return {
            "source": {"frames": len(self.source), "sha256": hashlib.sha256(header).hexdigest()},
            "model": self.model_record,
            **self.plan.written(),
        }

    @cached_property
    def model_record(self) -> dict[str, str]:
        name = self.model.name
        shown = Path(name).name if Path(name).is_dir() else name
        return {"name": shown, "sha256": digest_of(self.model), "device": self.model.device.type}

    @cached_property
    def swaps(self) -> dict[str, list[tuple[str, str]]]:
        """For every defect class of the dataset the words that may stand in its place, with the classes that they are.

        No more classes than a class mask can tell apart; words of impurities are not of defects.
        """
        families = self.source.families
        subject = subject_of(self.source[0].scene)
        known = dict.fromkeys(families)
        found: dict[str, list[tuple[str, str]]] = {}
        for name in (name for name, family in families.items() if family == "defect"):
            prompt = caption(replace(self.subject(subject), defects=(word_of(name),), impurities=()))
            offered = [swap.word for swap in swaps(prompt) if swap.word not in IMPURITIES.values()]
            offered += [word for word in self.plan.words if word not in offered and word != word_of(name)]
            found[name] = []
            for word in offered:
                if self.plan.words and word not in self.plan.words:
                    continue
                becomes = class_of(word, families)
                if becomes not in known and len(known) == CLASSES:
                    continue
                known[becomes] = None
                found[name].append((word, becomes))
        return found

    @cached_property
    def new_classes(self) -> dict[str, Family]:
        """Classes that the source's recipe has not: those of the source, then those of swapped words."""
        there, recipe = self.source.families, self.source.recipe.class_families
        beyond = {name: family for name, family in there.items() if name not in recipe}
        if self.plan.variants:
            wanted = dict.fromkeys(becomes for offered in self.swaps.values() for _, becomes in offered)
            beyond |= {name: "defect" for name in wanted if name not in there}
        return beyond

    @cached_property
    def bits(self) -> dict[str, int]:
        """Class name -> bit in the new dataset."""
        return {name: bit for bit, name in enumerate(dict.fromkeys([*self.source.classes, *self.new_classes]))}

    def subject(self, subject: Subject) -> Subject:
        """With the recipe's part where the scene's is a photograph of it."""
        part = PARTS.get(str(self.source.header.recipe.get("part", {}).get("kind")), subject.part)
        return replace(subject, part=part) if subject.part == "surface" else subject

    def make(self, frame: Frame, variant: int = 0) -> Made:
        """Frame `variant` of a frame: refined, and for variants above 0 with its defects swapped first."""
        defects = frame.defects
        units = units_of(defects, self.plan.realism)
        names = {i.id: i.class_name for i in frame.instances if i.family == "defect"}
        before = colour(frame.image)
        pixels, still = frame.image, set(range(1, int(units.max()) + 1))
        turned: dict[int, dict[str, tuple[str, str]]] = {}  # unit: class: word and class that it became
        refused: list[dict[str, Any]] = []
        prompts: list[str] = []
        attempt = -1
        for attempt in range(self.plan.attempts if still else 0):
            words = self.words(frame.index, variant, attempt) if variant else {}
            tried, asked = self.attempt(frame, pixels, np.isin(units, list(still)), words, names, (variant, attempt))
            prompts = list(dict.fromkeys([*prompts, *asked]))
            verdicts = check(before, colour(tried), defects, self.plan.limits)
            if words:
                verdicts = tuple(
                    swapped(before, colour(tried), defects, verdict, self.plan.limits)
                    if names.get(verdict.instance) in words
                    else verdict
                    for verdict in verdicts
                )
            bad = {unit for verdict in verdicts if not verdict.accepted for unit in units_at(units, defects, verdict)}
            bad &= still
            good = np.isin(units, list(still - bad))
            pixels = np.where(good if pixels.ndim == 2 else good[..., None], tried, pixels)
            turned |= {unit: words for unit in still - bad}
            refused += [
                {"attempt": attempt, **_shown(verdict), **_asked(words, names.get(verdict.instance))}
                for verdict in verdicts
                if not verdict.accepted and units_at(units, defects, verdict) & still
            ]
            still = bad
            if not still:
                break
        classes, instances = self.relabelled(frame, units, turned)
        count = int(units.max())
        outcome = UNTOUCHED if not count else REFINED if not still else KEPT if len(still) == count else PARTLY
        after = colour(pixels)
        record = {
            "outcome": outcome,
            "parents": self.parents(frame),
            "variant": variant,
            "method": self.plan.swap.method if variant else "partial noising",
            "prompts": prompts,
            "seed": self.plan.seed,
            "attempts": attempt + 1,
            "model": self.model_record,
            "swapped": [
                {"instance": new.id, "from": old.class_name, "to": new.class_name, "word": word}
                for old, new, word in _changes(frame.instances, instances, turned, units, defects)
            ],
            "metrics": measured(before, after, defects > 0),
            "checks": [_shown(verdict) for verdict in check(before, after, defects, self.plan.limits)],
            "refused": refused,
        }
        return Made(pixels, classes, instances, record)

    def parents(self, frame: Frame) -> list[dict[str, Any]]:
        """The frame that was refined, and before it, where it was refined itself, its own parents; nearest first."""
        digest = hashlib.sha256(frame.image_path.read_bytes()).hexdigest()
        name, seed = self.source.recipe_name, self.source.seed
        parent = {"recipe": name, "seed": seed, "frame": frame.index, "sha256": digest}
        return [parent, *(frame.refinement or {}).get("parents", ())]

    def words(self, index: int, variant: int, attempt: int) -> dict[str, tuple[str, str]]:
        """Class -> what its defects become in a variant, a word and its class; another one in every attempt.

        The order of words is the frame's own, so that all come up equally often over a dataset.
        """
        chosen = {}
        for name, offered in self.swaps.items():
            if offered:
                order = _generator(self.plan.seed, index).permutation(len(offered))
                chosen[name] = offered[order[(variant - 1 + attempt) % len(offered)]]
        return chosen

    def attempt(
        self,
        frame: Frame,
        pixels: Pixels,
        where: NDArray[np.bool_],
        words: dict[str, tuple[str, str]],
        names: dict[int, str],
        key: tuple[int, int],
    ) -> tuple[Pixels, list[str]]:
        """One try at the units in `where` (H, W): pixels, and the prompts that were used. key: variant and attempt."""
        settings, defects = self.plan.realism, frame.defects
        mask = (defects > 0) & where
        share = share_map(mask, settings) * where
        subject = replace(self.subject(subject_of(frame.scene)), impurities=())
        prompts = []
        made = frame.image
        for name, (word, _) in words.items():
            of_class = mask & np.isin(defects, [number for number, called in names.items() if called == name])
            if not of_class.any():
                continue
            old, new = (caption(replace(subject, defects=(said,))) for said in (word_of(name), word))
            change = self.swapped(colour(made), of_class, old, new)
            made = composited(made, change, share_map(of_class, replace(settings, background=0.0)))
            prompts.append(new)
        windows = windows_for(mask, settings, self.model)
        shown = {name: word for name, (word, _) in words.items()}
        asked = [self.prompt(subject, window, defects, names, shown) for window in windows]
        generator = torch.Generator().manual_seed(
            int(_generator(self.plan.seed, frame.index, *key).integers(2**63 - 1))
        )
        strength = strength_map(mask, settings) * where
        change = realistic(self.model, colour(made), strength, windows, asked, settings, generator)
        tried = composited(made, change, share)
        return np.where(where if pixels.ndim == 2 else where[..., None], tried, pixels), [*prompts, *asked]

    def prompt(
        self, subject: Subject, window: Window, defects: Ids, names: dict[int, str], words: dict[str, str]
    ) -> str:
        """What a window shows, by the words that its defects go by now."""
        inside = (number for number in np.unique(defects[window.slices]).tolist() if number)
        classes = dict.fromkeys(names[number] for number in inside if number in names)
        told = tuple(dict.fromkeys(words.get(name) or word_of(name) for name in classes))
        return caption(replace(subject, defects=told))

    def swapped(self, picture: NDArray, mask: NDArray[np.bool_], old: str, new: str) -> NDArray[np.float64]:
        """(H, W, 3): what to add to a picture for the defects in the mask to be what another prompt says."""
        shape = padded_shape(mask.shape, self.model.size, self.model.factor)  # type: ignore[arg-type]
        whole, place = padded(picture, shape), np.zeros(shape, dtype=bool)
        place[: mask.shape[0], : mask.shape[1]] = mask
        windows = windows_for(mask, replace(self.plan.realism, background=0.0), self.model)
        pieces = []
        for window in windows:
            edited = swap_words(
                self.model, whole[window.slices], old, [new], mask=place[window.slices], settings=self.plan.swap
            )
            pieces.append(edited.swaps[0].decoded.astype(np.float64) - edited.reconstruction)
        return assembled(pieces, windows, shape)[0][: mask.shape[0], : mask.shape[1]]

    def relabelled(
        self, frame: Frame, units: NDArray[np.int64], turned: dict[int, dict[str, tuple[str, str]]]
    ) -> tuple[Ids, tuple[Instance, ...]]:
        """Class bits and instances with the classes that defects became; masks and ids stay."""
        classes = frame.classes.copy()
        for unit, words in turned.items():
            for name, (_, becomes) in words.items():
                held = (units == unit) & ((frame.classes >> self.bits[name] & 1) > 0)
                classes[held] &= ~np.uint16(1 << self.bits[name])
                classes[held] |= np.uint16(1 << self.bits[becomes])
        instances = []
        for instance in frame.instances:
            if instance.family == "defect":
                there = np.unique(units[frame.defects == instance.id])
                words = turned.get(int(there[0]), {}) if len(there) else {}
                instance = Instance(instance.id, "defect", words.get(instance.class_name, ("", instance.class_name))[1])
            instances.append(instance)
        return classes, tuple(instances)


def units_of(defects: Ids, settings: Settings) -> NDArray[np.int64]:
    """(H, W): numbers from 1 of what is refined or left as a whole; 0 where nothing changes.

    A unit is all that changes around one defect, and around others where these meet; the whole frame where the
    background changes too.
    """
    if settings.background:
        return np.ones(defects.shape, np.int64)
    parts, count = label(share_map(defects > 0, settings) > 0, structure=np.ones((3, 3)))
    there = defects > 0
    if not count:
        return np.zeros(defects.shape, np.int64)
    pairs = np.unique(np.stack([parts[there], defects[there].astype(np.int64) + count]), axis=1)
    size = int(pairs.max()) + 1
    graph = coo_matrix((np.ones(pairs.shape[1]), (pairs[0], pairs[1])), shape=(size, size))
    _, components = connected_components(graph, directed=False)
    _, numbers = np.unique(components[1 : count + 1], return_inverse=True)
    return np.concatenate([[0], numbers + 1]).astype(np.int64)[parts]


def units_at(units: NDArray[np.int64], defects: Ids, verdict: Verdict) -> set[int]:
    """Units that the defect of a verdict lies in."""
    return set(np.unique(units[defects == verdict.instance]).tolist()) - {0}


def measured(before: NDArray, after: NDArray, mask: NDArray[np.bool_]) -> dict[str, float | None]:
    """The figures that are kept with a frame; None where there is nothing to compare."""
    same = np.array_equal(before, after)
    found = {
        "psnr": metrics.psnr(before, after),
        "ssim": 1.0 if same or min(before.shape[:2]) < 11 else metrics.ssim(before, after),
        "background_psnr": metrics.background_psnr(before, after, mask),
        "mask_edit_iou": metrics.mask_edit_iou(before, after, mask),
    }
    return {name: None if value is None else round(value, DIGITS) for name, value in found.items()}


def word_of(class_name: str) -> str:
    """The word of a class of defects; its own name where the corpus does not know it."""
    return DEFECTS.get(class_name, class_name.replace("_", " "))


def class_of(word: str, families: dict[str, Family]) -> str:
    """The class that a word stands for: one of the dataset's own, else the kind of that name, else the word itself."""
    own = (name for name, family in families.items() if family == "defect" and word_of(name) == word)
    kinds = (kind for kind, said in DEFECTS.items() if said == word)
    return next(own, word if word in DEFECTS else next(kinds, word.replace(" ", "_")))


def digest_of(model: Model) -> str:
    """SHA-256 of all weights of a model, by their names."""
    total = hashlib.sha256()
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        module = getattr(model.pipeline, part, None)
        weights = {} if module is None else module.state_dict()
        for name, tensor in sorted(weights.items()):
            total.update(f"{part}.{name}".encode())
            total.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def _generator(*key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(key))


def _shown(verdict: Verdict) -> dict[str, Any]:
    return {
        name: round(value, DIGITS) if isinstance(value, float) else value for name, value in asdict(verdict).items()
    }


def _asked(words: dict[str, tuple[str, str]], name: str | None) -> dict[str, str]:
    """The word that a defect of this class should have become, where it should."""
    return {"word": words[name][0]} if name in words else {}


def _changes(
    before: Sequence[Instance],
    after: Sequence[Instance],
    turned: dict[int, dict[str, tuple[str, str]]],
    units: NDArray[np.int64],
    defects: Ids,
) -> Iterator[tuple[Instance, Instance, str]]:
    """Instances that were swapped, as they were and are, with the words."""
    for old, new in zip(before, after, strict=True):
        there = units[defects == old.id] if old.family == "defect" else units[:0]
        swap = turned.get(int(there.flat[0]), {}).get(old.class_name) if there.size else None
        if swap is not None:
            yield old, new, swap[0]
