"""What a downstream study is: real pictures parted by surfaces, arms that add others, and a learner for each."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, StrictBool, field_validator, model_validator

from anomaly.studies.engine.settings import Changes, Frames, RealSet, Samples, Seed, Share, StudyBase
from scenes.formats.registry import AUTO
from scenes.quantities.distribution import shown
from scenes.quantities.recipe_model import RecipeModel, together

REAL = "real"  # the arm that all others are compared with
OUT, TRAIN, GOOD_PICTURES, SEED = "{out}", "{train}", "{good}", "{seed}"
MOST_CLASSES = 254  # that a mask of 8 bits tells apart, beside the background and what is ignored
MAKERS = ("render", "synthesize", "refine", "weigh")  # commands that make a dataset
TRAINER = "train-generator"  # the command that trains what some of these draw with


PieceSide = Annotated[int, Field(strict=True, ge=16)]


def named_in(word: str) -> str:
    """What stands in a command's word in braces, or ""."""
    return word[1:-1] if word.startswith("{") and word.endswith("}") else ""


class RealSettings(RealSet):
    """The real set, and renders that stand for it where no photographs are at hand.

    train, validation, test: shares of the surfaces, parted anew for every seed, those with the rarest class first; what
    they leave over is neither trained on nor judged. most_of_surface: pictures of each surface that are used at most.
    most_to_train: pictures of the training side that are used at most, as many of every class, spread evenly.
    pieces: rows and columns of those that pictures are cut into, each a picture of its own; what is on none of a
    picture's defects is good, where a set has no good pictures.
    """

    train: Share = 0.5
    validation: Share = 0.1
    test: Share = 0.4
    most_of_surface: Annotated[int, Field(strict=True, ge=1)] | None = None
    most_to_train: Annotated[int, Field(strict=True, ge=2)] | None = None
    pieces: tuple[PieceSide, PieceSide] | None = None

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.dataset is None and self.rendered is None:
            raise together("found neither dataset nor rendered; expected one of them, or both")
        if (total := self.train + self.validation + self.test) > 1 + 1e-9:
            raise together(f"found shares that sum to {total:g}; expected train, validation and test of at most 1")
        return self


class RenderSettings(RecipeModel):
    """Renders to train on; changes: to the recipe, by dotted path."""

    recipe: str
    changes: Changes = Field(default_factory=dict)
    frames: Frames
    seed: Seed
    samples: Samples = 32


class DatasetSettings(RecipeModel):
    """Where an arm's pictures come from.

    dataset: a folder, relative to the study's file. rendered: made from a recipe. command: arguments of `blemish`, made
    for every seed; in it stand {out} for the folder it makes, {train} for one with the real pictures to train on and
    their masks, {good} for the good ones among these, each an argument of its own, {seed} for the seed, and {NAME} for
    the folder of another dataset of the study, or of a model. good: so many of the good ones at most, spread evenly.
    """

    dataset: str | None = None
    format: str = AUTO
    rendered: RenderSettings | None = None
    command: tuple[str, ...] | None = None
    good: Annotated[int, Field(strict=True, ge=1)] | None = None

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        given = [name for name in ("dataset", "rendered", "command") if getattr(self, name) is not None]
        if len(given) != 1:
            raise together(f"found {' and '.join(given) or 'nothing'}; expected one of dataset, rendered and command")
        if self.good is not None and GOOD_PICTURES not in (self.command or ()):
            raise together(f"found good without {GOOD_PICTURES} in a command, which it is the number of; leave it out")
        return self

    @field_validator("command")
    @classmethod
    def _makes_a_dataset(cls, words: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if words is not None and (not words or words[0] not in MAKERS or OUT not in words):
            raise ValueError(
                f"found {shown(' '.join(words))}; expected {', '.join(MAKERS)} and its words, among them {OUT}"
            )
        return words


class ModelSettings(RecipeModel):
    """What datasets' commands draw with, trained for every seed: commands `train-generator`, one after the other.

    In them stand {out} for the model's folder, and {train}, {good} and {seed} as in a dataset's command.
    """

    commands: Annotated[tuple[tuple[str, ...], ...], Field(min_length=1)]

    @field_validator("commands")
    @classmethod
    def _train_a_model(cls, commands: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
        for words in commands:
            named = {word for word in words if named_in(word)}
            if words[:1] != (TRAINER,) or OUT not in words or not named <= {OUT, TRAIN, GOOD_PICTURES, SEED}:
                raise ValueError(
                    f"found {shown(' '.join(words))}; expected {TRAINER} and its words, among them {OUT}, of others "
                    f"in braces {TRAIN}, {GOOD_PICTURES} and {SEED} alone"
                )
        return commands


class ArmSettings(RecipeModel):
    """One way of training.

    add: by the name of a dataset, how many times as many pictures of it as there are defective real ones to train on,
    or fewer where it has fewer. weight: of their loss, times what their records say. real: whether the real pictures
    are trained on. learner: fields of the study's learner that are others here. shuffled: whether the pictures have
    each other's labels and masks, so that nothing can be learnt.
    """

    add: dict[str, Annotated[float, Field(gt=0, le=1000)]] = Field(default_factory=dict)
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    real: StrictBool = True
    learner: dict[str, Any] = Field(default_factory=dict)
    shuffled: StrictBool = False

    @model_validator(mode="after")
    def _has_pictures(self) -> Self:
        if not self.real and not self.add:
            raise together("found neither real pictures nor added ones; expected some")
        return self


class DownstreamStudy(StudyBase):
    """A whole study of a task other than inspection.

    classes: of defects, each with the names that it has in the sources beside its own; without it, the real set's.
    models: that datasets are drawn with, by name. datasets, arms: by name; the arm `real` is there always. learner:
    settings of the task. published: whether the report shows the paper's tables beside its own.
    """

    real: RealSettings
    classes: Annotated[dict[str, tuple[str, ...]], Field(max_length=MOST_CLASSES)] = Field(default_factory=dict)
    models: dict[str, ModelSettings] = Field(default_factory=dict)
    datasets: dict[str, DatasetSettings] = Field(default_factory=dict)
    arms: dict[str, ArmSettings]
    learner: dict[str, Any]

    @model_validator(mode="after")
    def _names_lead_somewhere(self) -> Self:
        for name, arm in self.arms.items():
            for dataset in arm.add:
                if dataset not in self.datasets:
                    known = ", ".join(self.datasets) or "none is there"
                    raise together(f"found the dataset {shown(dataset)} in the arm {name}; expected one of: {known}")
        before = set(self.models)
        for name, source in self.datasets.items():
            if name in self.models:
                raise together(f"found both a model and a dataset of the name {shown(name)}; expected another for one")
            for word in source.command or ():
                named = named_in(word)
                if named and word not in (OUT, TRAIN, GOOD_PICTURES, SEED) and named not in before:
                    raise together(
                        f"found {word} in the command of {name}; expected {OUT}, {TRAIN}, {GOOD_PICTURES}, {SEED} or a "
                        f"model, or dataset named before it: {', '.join(sorted(before)) or 'there is none'}"
                    )
            before.add(name)
        return self

    @property
    def every_arm(self) -> dict[str, ArmSettings]:
        """With the real pictures alone first."""
        own = self.arms.get(REAL, ArmSettings())
        return {REAL: own, **{name: arm for name, arm in self.arms.items() if name != REAL}}
