"""What every way of making frames has in common: frames in, frames out, and how each was made.

A method is a folder with a factory that `registry` names. It turns a `Request` into a `Synthesis`, which the one loop,
`loop.carry_out`, carries out. To add one, write a `Generator` and such a factory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from diffusion_refine.editing.label_check import Limits, Verdict
from diffusion_refine.editing.pixels import Pixels
from diffusion_refine.editing.relabelling import Found, RelabelSettings
from procgen.surface.layer import Family, Instance
from scenes.datasets.reader import Dataset
from scenes.recipes.recipe import Recipe
from scenes.scene import Scene

Ids = NDArray[np.uint16]
Mask = NDArray[np.bool_]


class SourceFrame(Protocol):
    """What a frame is made of; `scenes.datasets.reader.Frame` is one.

    The masks (H, W) say what the frame shows, or, where it is to be drawn first, what it shall show.
    """

    @property
    def index(self) -> int:
        """Its number in the source."""

    @property
    def image(self) -> Pixels:
        """(H, W, 3) or (H, W), uint8 or uint16."""

    @property
    def classes(self) -> Ids:
        """Class bits."""

    @property
    def defects(self) -> Ids:
        """Ids of the defects, 0 where there is none."""

    @property
    def impurities(self) -> Ids:
        """Ids of the impurities."""

    @property
    def instances(self) -> tuple[Instance, ...]:
        """What the ids are."""

    @property
    def scene(self) -> Scene:
        """Every drawn parameter."""


class FrameSource(Protocol):
    """Where frames come from, by their numbers in the dataset that is made."""

    @property
    def folder(self) -> Path | None:
        """Of the dataset that they come from, which is not to be written into."""

    @property
    def recipe(self) -> Recipe:
        """That the scenes were drawn from."""

    @property
    def seed(self) -> int:
        """That the scenes were drawn with."""

    def __len__(self) -> int:
        """How many frames are made."""

    def at(self, index: int) -> tuple[SourceFrame, int]:
        """What frame `index` is made of, and which variant of it."""

    def parents(self, frame: SourceFrame) -> list[dict[str, Any]]:
        """Where a frame comes from, nearest first: each with `frame`, its number there, and `sha256` of the picture."""


@dataclass(frozen=True)
class FrameStream:
    """The randomness of one attempt at one variant of a frame of the source."""

    seed: int
    frame: int
    variant: int = 0
    attempt: int = 0

    def generator(self) -> np.random.Generator:
        """Of this attempt alone."""
        return np.random.default_rng(np.random.SeedSequence((self.seed, self.frame, self.variant, self.attempt)))

    def of_frame(self) -> np.random.Generator:
        """The same in every variant and attempt of the frame."""
        return np.random.default_rng(np.random.SeedSequence((self.seed, self.frame)))


@dataclass(frozen=True)
class ClassSwap:
    """A defect whose class has become another, and the word by which that was asked for."""

    instance: int
    before: str
    after: str
    word: str


@dataclass(frozen=True, eq=False)
class GeneratedFrame:
    """One frame made: pixels, masks (H, W) and instances as a dataset holds them, and the record of how.

    prompts: that were used. swaps: defects that another class was asked of, where the mask let them change. found,
    judged: the masks of defects that were made anew, and the label check's verdicts on them, by their ids. parents:
    pictures that it was made of beside the frame, as `FrameSource.parents` tells them.
    """

    image: Pixels
    classes: Ids
    defects: Ids
    impurities: Ids
    instances: tuple[Instance, ...]
    prompts: tuple[str, ...] = ()
    swaps: tuple[ClassSwap, ...] = ()
    found: Mapping[int, Found] = field(default_factory=dict)
    judged: Mapping[int, Verdict] = field(default_factory=dict)
    parents: tuple[Mapping[str, Any], ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)


class Generator(Protocol):
    """Makes one frame of another."""

    def generate(self, frame: SourceFrame, mask: Mask, stream: FrameStream) -> GeneratedFrame:
        """A frame that differs from `frame` within mask (H, W) alone; the same arguments give the same frame."""

    def described(self, variant: int) -> dict[str, Any]:
        """What the records of its frames say, whatever comes of them: settings, and where there is one, the model."""


@dataclass(frozen=True)
class Relabelling:
    """How masks are found again. reach: pixels that an edit can move an edge by."""

    settings: RelabelSettings
    reach: int


@dataclass(frozen=True)
class Editing:
    """How an edit of what a frame shows already is held to the labels that are there: unit by unit, and tried again.

    units: of a frame's variant, numbers (H, W) from 1 of what is edited or left as a whole, 0 where nothing changes.
    limits: of the label check, None without one. attempts: at a unit, before it is left as it was. measure: figures of
    pictures (H, W, 3) before and after and the mask (H, W) of the defects, kept with the frame. relabelling: of masks
    whose edges moved, None where masks stay. bits: class name -> bit in masks, where masks may move.
    """

    units: Callable[[SourceFrame, int], NDArray[np.int64]]
    limits: Limits | None
    attempts: int
    measure: Callable[[NDArray[np.float64], NDArray[np.float64], Mask], Mapping[str, float | None]]
    relabelling: Relabelling | None = None
    bits: Mapping[str, int] = field(default_factory=dict)


def everywhere(frame: SourceFrame) -> Mask:
    """(H, W) True."""
    return np.ones(frame.image.shape[:2], dtype=bool)


@dataclass(frozen=True)
class Synthesis:
    """A method, opened for a request: all that the loop needs.

    name: of the method; activity: what it does, for the progress. classes: of defects, beyond the recipe's. settings:
    all that frames depend on, as JSON, for dataset.json. seed: of the method. editing: None where defects are made with
    their labels, so that none can be missed. where: such defects may be made. report: lines to end with.
    """

    name: str
    activity: str
    source: FrameSource
    generator: Generator
    seed: int
    settings: Mapping[str, Any]
    classes: Mapping[str, Family] = field(default_factory=dict)
    editing: Editing | None = None
    where: Callable[[SourceFrame], Mask] = everywhere
    report: Callable[[Dataset], Sequence[str]] = lambda made: ()
