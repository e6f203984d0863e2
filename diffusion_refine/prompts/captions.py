"""Captions: what a drawn scene shows, in the words of prompts; of a whole frame, or of what a piece of it shows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffusion_refine.prompts.vocabulary import DEFECTS, FINISHES, IMPURITIES, MATERIALS, PARTS, UNCOUNTED
from scenes.scene import Scene

VOWELS = "aeiou"


@dataclass(frozen=True)
class Subject:
    """What a picture shows, as words: the defects and impurities in sight, the finish and the part."""

    finish: str
    part: str
    defects: tuple[str, ...] = ()
    impurities: tuple[str, ...] = ()

    def seen(self, classes: Collection[str]) -> Subject:
        """With only those defects and impurities that belong to one of the classes, by their kinds' names."""
        return Subject(self.finish, self.part, words_of(classes, DEFECTS), words_of(classes, IMPURITIES))


def subject_of(scene: Scene) -> Subject:
    """The finish, the part and all classes that a scene can show, in sight or not."""
    return Subject(FINISHES[scene.finish.kind], PARTS[scene.part.kind]).seen(scene.classes)


def words_of(classes: Iterable[str], words: Mapping[str, str]) -> tuple[str, ...]:
    """The words of those classes that `words` knows, each once, in its order."""
    wanted = set(classes)
    return tuple(dict.fromkeys(word for kind, word in words.items() if kind in wanted))


def caption(subject: Subject) -> str:
    """As in "photo of a scratch defect and a dent defect on a ground plate with a stain", "photo of a good tile"."""
    uncounted = subject.finish in MATERIALS
    thing = subject.finish if uncounted else " ".join(word for word in (subject.finish, subject.part) if word)
    if subject.defects:
        shown = " and ".join(with_article(f"{word} defect") for word in subject.defects)
        where = thing if uncounted else with_article(thing)
        told = f"photo of {shown} on {where}"
    else:
        told = f"photo of good {thing}" if uncounted else f"photo of a good {thing}"
    if subject.impurities:
        told += " with " + " and ".join(
            word if word in UNCOUNTED else with_article(word) for word in subject.impurities
        )
    return told


def base_prompt(word: str) -> str:
    """The base prompt of [Jo 2025], which names the defect alone: "photo of a crack defect image"."""
    return f"photo of {with_article(f'{word} defect image')}"


def caption_of(scene: Scene, classes: Collection[str] | None = None) -> str:
    """The caption of a scene; of all it was drawn with, or of the classes in sight alone.

    classes: names as in `Scene.classes`. None: those of the layers that the scene has.
    """
    seen = [getattr(layer, "class_name", layer.kind) for layer in scene.layers] if classes is None else classes
    return caption(subject_of(scene).seen(seen))


def classes_in(mask: NDArray[np.uint16], bits: Mapping[str, int], least: int = 1) -> list[str]:
    """Names of the classes that cover at least so many pixels of a class mask (H, W), of which bit k is class k's."""
    return [name for name, bit in bits.items() if np.count_nonzero(mask >> bit & 1) >= least]


def with_article(words: str) -> str:
    """With "a" or "an" before it."""
    return f"{'an' if words[:1] in VOWELS else 'a'} {words}"
