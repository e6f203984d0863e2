"""What the defects of a dataset may become: the words that prompts call it, and the classes of the masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property

from diffusion_refine.prompts.captions import Subject, caption, subject_of
from diffusion_refine.prompts.vocabulary import DEFECTS, IMPURITIES, PARTS, swaps
from diffusion_refine.synthesis.generator import FrameStream
from procgen.surface.layer import Family
from scenes.datasets.reader import Dataset
from scenes.datasets.schema import CLASSES
from scenes.scene import Scene


class SwapWords:
    """The words that may stand in the place of a dataset's defects. words: these alone, where any are given.

    keep_classes: whether a defect stays of its class whatever word it is drawn by, as in [Jo 2025]. drawable: which
    words can be drawn; others are taken where they are given, or where none can be.
    """

    def __init__(
        self,
        dataset: Dataset,
        words: tuple[str, ...] = (),
        keep_classes: bool = False,
        drawable: Callable[[str], bool] = lambda word: True,
    ) -> None:
        self.dataset, self.words, self.keep_classes, self.drawable = dataset, words, keep_classes, drawable

    def subject(self, scene: Scene) -> Subject:
        """What a scene shows, with the recipe's part where the scene's own is a photograph of it."""
        subject = subject_of(scene)
        part = PARTS.get(str(self.dataset.header.recipe.get("part", {}).get("kind")), subject.part)
        return replace(subject, part=part) if subject.part == "surface" else subject

    @cached_property
    def offered(self) -> dict[str, list[tuple[str, str]]]:
        """For every defect class of the dataset the words that may stand in its place, with the classes that they are.

        No more classes than a class mask can tell apart; words of impurities are not of defects.
        """
        families = self.dataset.families
        known = dict.fromkeys(families)
        found: dict[str, list[tuple[str, str]]] = {}
        for name, (own, *others) in self.of_material.items():
            if self.words:
                given = [word for word in self.words if word != own]
                offered = sorted(given, key=lambda word: others.index(word) if word in others else len(others))
            else:
                offered = [word for word in others if self.drawable(word)] or others
            found[name] = []
            for word in offered:
                becomes = name if self.keep_classes else class_of(word, families)
                if becomes not in known and len(known) == CLASSES:
                    continue
                known[becomes] = None
                found[name].append((word, becomes))
        return found

    @cached_property
    def of_material(self) -> dict[str, list[str]]:
        """For every defect class of the dataset what a defect may be taken for: its own word, then its material's."""
        subject = self.subject(self.dataset[0].scene)
        found = {}
        for name in (name for name, family in self.dataset.families.items() if family == "defect"):
            prompt = caption(replace(subject, defects=(word_of(name),), impurities=()))
            others = [swap.word for swap in swaps(prompt) if swap.word not in IMPURITIES.values()]
            found[name] = [word_of(name), *others]
        return found

    def new_classes(self, variants: int) -> dict[str, Family]:
        """Classes that the dataset's recipe has not: those of the dataset, then those that defects become."""
        there, recipe = self.dataset.families, self.dataset.recipe.class_families
        beyond = {name: family for name, family in there.items() if name not in recipe}
        if variants:
            wanted = dict.fromkeys(becomes for offered in self.offered.values() for _, becomes in offered)
            beyond |= {name: "defect" for name in wanted if name not in there}
        return beyond

    def chosen(self, stream: FrameStream) -> dict[str, tuple[str, str]]:
        """Class -> what its defects become in a variant, a word and its class; another one in every attempt.

        The order of words is the frame's own, so that all come up equally often over a dataset.
        """
        chosen = {}
        for name, offered in self.offered.items() if stream.variant else ():
            if offered:
                order = stream.of_frame().permutation(len(offered))
                chosen[name] = offered[order[(stream.variant - 1 + stream.attempt) % len(offered)]]
        return chosen


def word_of(class_name: str) -> str:
    """The word of a class of defects; its own name where the corpus does not know it."""
    return DEFECTS.get(class_name, class_name.replace("_", " "))


def class_of(word: str, families: Mapping[str, Family]) -> str:
    """The class that a word stands for: one of the dataset's own, else the kind of that name, else the word itself."""
    own = (name for name, family in families.items() if family == "defect" and word_of(name) == word)
    kinds = (kind for kind, said in DEFECTS.items() if said == word)
    return next(own, word if word in DEFECTS else next(kinds, word.replace(" ", "_")))
