"""The refining generator: defects denoised anew under their own words, in variants after they became other defects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from diffusion_refine.core.models import Model
from diffusion_refine.editing.label_check import Limits, Verdict, check_painted
from diffusion_refine.editing.painting import SEEN, unseen_share
from diffusion_refine.editing.pixels import Pixels, colour, composited, pasted
from diffusion_refine.editing.realism import RealismSettings, realistic, share_map, strength_map, windows_for
from diffusion_refine.editing.relabelling import Found
from diffusion_refine.editing.visibility import kept_visible
from diffusion_refine.editing.windows import Window, assembled, padded, padded_shape
from diffusion_refine.editing.word_swap import SwapSettings, inverted, swap_words
from diffusion_refine.inversion.methods import Inversion
from diffusion_refine.prompts.captions import Subject, base_prompt, caption
from diffusion_refine.synthesis.attempts import with_classes
from diffusion_refine.synthesis.generator import ClassSwap, FrameStream, GeneratedFrame, Ids, Mask, SourceFrame
from diffusion_refine.synthesis.refine.drawing import drawer_for
from diffusion_refine.synthesis.refine.records import model_record
from diffusion_refine.synthesis.refine.replacing import Place, Replaced, drawn_in, painted_in
from diffusion_refine.synthesis.refine.settings import RefineSettings
from diffusion_refine.synthesis.refine.sites import Site, sites_of
from diffusion_refine.synthesis.refine.swap_words import SwapWords, word_of
from diffusion_refine.synthesis.refine.units import units_of
from procgen.surface.layer import Instance

KEPT_SOURCES = 16  # windows whose inversions are kept between attempts


class RefineGenerator:
    """A model and settings for one dataset. bits: class name -> bit of the class masks that are made.

    painter: the model that paints what defects of variants become, where there is one; else their words are swapped.
    """

    def __init__(
        self,
        model: Model,
        settings: RefineSettings,
        words: SwapWords,
        bits: dict[str, int],
        painter: Model | None = None,
    ) -> None:
        self.model, self.settings, self.words, self.bits, self.painter = model, settings, words, bits, painter
        self._sources: dict[tuple[str, str], Inversion] = {}
        how = {} if painter is None else {"painter": model_record(painter), "paint": settings.paint.written()}
        self.record = {"model": model_record(model), **how, "settings": settings.written()}

    def described(self, variant: int) -> dict[str, Any]:
        by_painter = "drawing" if self.settings.paint.drawn else "painting"
        swap = self.settings.swap.method if self.painter is None else by_painter
        return {"method": swap if variant else "partial noising", **self.record}

    def units(self, frame: SourceFrame, variant: int) -> NDArray[np.int64]:
        """What of a frame is made or left as a whole; where defects of variants are painted, the holes for them."""
        settings, defects = self.settings.realism, frame.defects
        if self.painter is None or not variant:
            return units_of(defects, settings)
        return units_of(self._rooms(frame), replace(settings, band=max(settings.band, self.settings.paint.band)))

    def _rooms(self, frame: SourceFrame) -> Ids:
        """(H, W): where each defect's successor may be, by the defect's number; a defect's own pixels first."""
        defects, rooms = frame.defects, np.zeros_like(frame.defects)
        for numbers in by_class(frame.instances, defects).values():
            for site in sites_of(defects, numbers, self.settings.paint, self.settings.paint.drawn):
                rooms[site.room & (rooms == 0)] = site.number
        return np.where(defects > 0, defects, rooms)

    def generate(self, frame: SourceFrame, mask: Mask, stream: FrameStream) -> GeneratedFrame:
        """The defects in the mask refined, and in variants swapped first; everything else as it is."""
        if self.painter is not None and stream.variant:
            return self._painted(self.painter, frame, mask, stream)
        settings, defects = self.settings.realism, frame.defects
        names = {i.id: i.class_name for i in frame.instances if i.family == "defect"}
        words = self.words.chosen(stream)
        marked = (defects > 0) & mask
        subject = replace(self.words.subject(frame.scene), impurities=())
        prompts = []
        image = frame.image
        for name, (word, _) in words.items():
            of_class = marked & np.isin(defects, [number for number, called in names.items() if called == name])
            if not of_class.any():
                continue
            old, new = (
                base_prompt(said) if self.settings.base_prompt else caption(replace(subject, defects=(said,)))
                for said in (word_of(name), word)
            )
            swap = self.settings.swap.freed(stream.attempt / self.settings.attempts)
            change = self.swapped(colour(image), of_class, old, new, swap)
            image = composited(image, change, share_map(of_class, replace(settings, background=0.0)))
            prompts.append(new)
        shown = {name: word for name, (word, _) in words.items()}
        told = defects, names, shown
        image, asked = self._made_real(image, marked, mask, settings, subject, told, stream.generator())
        image = pasted(frame.image, image, mask)
        swaps = tuple(
            ClassSwap(instance.id, instance.class_name, words[instance.class_name][1], words[instance.class_name][0])
            for instance in frame.instances
            if instance.family == "defect" and instance.class_name in words and marked[defects == instance.id].any()
        )
        return GeneratedFrame(
            image,
            self._relabelled(frame, mask, words),
            defects,
            frame.impurities,
            with_classes(frame.instances, swaps),
            tuple([*prompts, *asked]),
            swaps,
        )

    def _painted(self, painter: Model, frame: SourceFrame, mask: Mask, stream: FrameStream) -> GeneratedFrame:
        """The defects in the mask that may become others drawn or painted as those, in their holes, class by class."""
        settings, limits = self.settings.paint, self.settings.limits
        subject = replace(self.words.subject(frame.scene), impurities=())
        nothing = caption(replace(subject, defects=()))
        random, words = stream.generator(), self.words.chosen(stream)
        image, ids = frame.image, frame.defects.copy()
        waiting = np.where(mask, frame.defects, 0)
        numbers = by_class(frame.instances, waiting)
        prompts, swaps = [], []
        found: dict[int, Found] = {}
        judged: dict[int, Verdict] = {}
        for name, (word, becomes) in words.items():
            of_class = numbers.get(name)
            if not of_class:
                continue
            free = mask & ((ids == 0) | np.isin(ids, of_class))
            drawer = drawer_for(word, self.words.dataset.recipe) if settings.drawn else None
            sites = sites_of(waiting, of_class, settings, drawer is not None)
            place = Place(image, [site.within(free) for site in sites], free)
            unseen = unseen_share(place.hole, painter, settings)
            if limits is not None and unseen > 1 - SEEN:
                reason = f"hole {unseen:.2f} of a window, above {1 - SEEN:g}"
                judged |= {number: Verdict(number, False, reason=reason) for number in of_class}
                continue
            prompts.append(caption(replace(subject, defects=(word,))))
            if drawer is None:
                others = (said for said in self.words.of_material[name] if said != word)
                rivals = [nothing, *(caption(replace(subject, defects=(said,))) for said in others)]
                seed = int(random.integers(2**63 - 1))
                made = painted_in(painter, place, (prompts[-1], nothing), rivals, settings, seed)
            else:
                made = drawn_in(painter, place, nothing, drawer, frame.scene, settings, random)
            image = made.pixels
            ids[np.isin(ids, of_class) & mask] = 0
            for number, again in made.found.items():
                ids[again.mask] = number
            if drawer is not None:
                marked, told = np.isin(ids, of_class) & mask, (ids, dict.fromkeys(of_class, name), {name: word})
                here = replace(self.settings.realism, background=0.0)
                image, _ = self._made_real(image, marked, place.hole, here, subject, told, random)
            found |= made.found
            swaps += [ClassSwap(number, name, becomes, word) for number in of_class]
            if limits is not None:
                judged |= verdicts_of(made, image, ids, place.sites, limits)
        return GeneratedFrame(
            image,
            self._relabelled(frame, mask, words),
            ids,
            frame.impurities,
            with_classes(frame.instances, swaps),
            tuple(prompts),
            tuple(swaps),
            found,
            judged,
        )

    def _made_real(
        self,
        image: Pixels,
        marked: Mask,
        free: Mask,
        settings: RealismSettings,
        subject: Subject,
        told: tuple[Ids, dict[int, str], dict[str, str]],
        random: np.random.Generator,
    ) -> tuple[Pixels, list[str]]:
        """A picture (H, W[, 3]) whose marked defects (H, W) are denoised anew, as far as it is free, and the prompts.

        told: of the defects, as `prompt_of` takes them.
        """
        ids, names, words = told
        windows = windows_for(marked, settings, self.model)
        asked = [prompt_of(subject, window, ids, names, words) for window in windows]
        noise = torch.Generator().manual_seed(int(random.integers(2**63 - 1)))
        strength, share = strength_map(marked, settings) * free, share_map(marked, settings) * free
        change = realistic(self.model, colour(image), strength, windows, asked, settings, noise)
        change = kept_visible(colour(image), change, share, ids, marked, settings.visible)
        return composited(image, change, share), asked

    def swapped(
        self, picture: NDArray[np.float64], mask: Mask, old: str, new: str, swap: SwapSettings
    ) -> NDArray[np.float64]:
        """(H, W, 3): what to add to a picture for the defects in the mask to be what another prompt says."""
        shape = padded_shape(mask.shape, self.model.size, self.model.factor)
        whole, place = padded(picture, shape), np.zeros(shape, dtype=bool)
        place[: mask.shape[0], : mask.shape[1]] = mask
        windows = windows_for(mask, replace(self.settings.realism, background=0.0), self.model)
        pieces = []
        for window in windows:
            piece = whole[window.slices]
            source = self._source(piece, old)
            edited = swap_words(self.model, piece, old, [new], place[window.slices], swap, source=source)
            pieces.append(edited.swaps[0].decoded.astype(np.float64) - edited.reconstruction)
        return assembled(pieces, windows, shape)[0][: mask.shape[0], : mask.shape[1]]

    def _source(self, picture: NDArray[np.float64], prompt: str) -> Inversion:
        """A window inverted; not anew in every attempt, which takes nothing else of the settings."""
        key = sha256(picture.tobytes()).hexdigest(), prompt
        if key not in self._sources:
            if len(self._sources) == KEPT_SOURCES:
                self._sources.clear()
            self._sources[key] = inverted(self.model, picture, prompt, self.settings.swap)
        return self._sources[key]

    def _relabelled(self, frame: SourceFrame, mask: Mask, words: dict[str, tuple[str, str]]) -> Ids:
        """Class bits with the classes that defects in the mask become."""
        classes = frame.classes.copy()
        for name, (_, becomes) in words.items():
            held = mask & ((frame.classes >> self.bits[name] & 1) > 0)
            classes[held] &= ~np.uint16(1 << self.bits[name])
            classes[held] |= np.uint16(1 << self.bits[becomes])
        return classes


def verdicts_of(made: Replaced, image: Pixels, ids: Ids, sites: Iterable[Site], limits: Limits) -> dict[int, Verdict]:
    """Of the label check on what defects were replaced by, of sites in a picture; one for all that became one."""
    plain, after = colour(made.plain), colour(image)
    found = {site.number: check_painted(plain, after, ids, site.number, site.hole, limits) for site in sites}
    for number, again in made.found.items():
        if again.into is not None:
            found[number] = Verdict(number, True, reason=f"one with instance {again.into}")
    return found


def by_class(instances: Iterable[Instance], ids: Ids) -> dict[str, list[int]]:
    """The numbers of the defects in sight of ids (H, W), 0 where there is none, by their classes."""
    there = set(np.unique(ids).tolist())
    found: dict[str, list[int]] = {}
    for instance in instances:
        if instance.family == "defect" and instance.id in there:
            found.setdefault(instance.class_name, []).append(instance.id)
    return found


def prompt_of(subject: Subject, window: Window, defects: Ids, names: dict[int, str], words: dict[str, str]) -> str:
    """What a window shows, by the words that its defects go by now."""
    inside = (number for number in np.unique(defects[window.slices]).tolist() if number)
    classes = dict.fromkeys(names[number] for number in inside if number in names)
    return caption(replace(subject, defects=tuple(dict.fromkeys(words.get(name) or word_of(name) for name in classes))))
