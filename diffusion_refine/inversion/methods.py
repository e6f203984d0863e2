"""The three ways to keep guided denoising on a picture's trajectory, behind one protocol."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from diffusion_refine.core.models import Model, Prompt
from diffusion_refine.core.schedule import STEPS, Schedule
from diffusion_refine.inversion.ddim import Trajectory, invert
from diffusion_refine.inversion.direct import DirectInversion
from diffusion_refine.inversion.null_embedding import NullEmbeddings, NullSettings, guided, optimise
from procgen.errors import BlemishError
from scenes.jobs.progress import Progress

METHODS = ("direct", "null", "negative-prompt")
GUIDANCE = {"sdxl": 5.0, "sd": 7.5}  # as published for each family


class Guidance(Protocol):
    """How the predictions of a step become the noise that it is stepped with."""

    def null(self, index: int) -> Prompt | None:
        """The conditions whose prediction step `index` needs beside the prompts', or None where it needs none."""

    def asks(self, branches: int) -> bool:
        """Whether so many branches need the model at all."""

    def guided(self, index: int, latents: Tensor, conditional: Tensor | None, unconditional: Tensor | None) -> Tensor:
        """ε of every branch (B, C, h, w) from its latents and its predictions."""


class Inversion(Guidance, Protocol):
    """Pictures brought to noise, and the guidance that brings them back."""

    @property
    def method(self) -> str: ...

    @property
    def trajectory(self) -> Trajectory: ...

    @property
    def prompt(self) -> Prompt: ...

    @property
    def schedule(self) -> Schedule: ...

    @property
    def scale(self) -> float: ...

    def __getitem__(self, picture: int) -> Inversion: ...


@dataclass(frozen=True)
class ClassifierFree:
    """Guidance away from one prompt, that of no words as a rule; a scale of 1 asks for the prompts alone."""

    negative: Prompt
    scale: float

    def null(self, index: int) -> Prompt | None:
        return None if self.scale == 1 else self.negative

    def asks(self, branches: int) -> bool:
        return True

    def guided(self, index: int, latents: Tensor, conditional: Tensor | None, unconditional: Tensor | None) -> Tensor:
        assert conditional is not None
        return conditional if unconditional is None else guided(unconditional, conditional, self.scale)


@dataclass(frozen=True)
class NullInversion:
    """Guidance by the null embeddings that were optimised for the pictures, or by the prompt in their place.

    The prompt as its own negative makes guidance vanish from the source branch: negative-prompt inversion, Miyake et
    al. Targets are guided away from the same embeddings as the source.
    """

    trajectory: Trajectory
    prompt: Prompt
    schedule: Schedule
    scale: float
    embeddings: NullEmbeddings | None = None

    @property
    def method(self) -> str:
        return "negative-prompt" if self.embeddings is None else "null"

    def __getitem__(self, picture: int) -> NullInversion:
        found = self.embeddings
        if found is not None:
            chosen = slice(picture, picture + 1 or None)
            found = NullEmbeddings(
                tuple(prompt[picture] for prompt in found.prompts),
                found.distances[:, chosen],
                found.updates[:, chosen],
                found.latents[chosen],
            )
        prompt = self.prompt.expand(len(self.trajectory))[picture]
        return NullInversion(self.trajectory[picture], prompt, self.schedule, self.scale, found)

    def null(self, index: int) -> Prompt | None:
        return self.prompt if self.embeddings is None else self.embeddings.prompts[index]

    def asks(self, branches: int) -> bool:
        return True

    def guided(self, index: int, latents: Tensor, conditional: Tensor | None, unconditional: Tensor | None) -> Tensor:
        assert conditional is not None
        assert unconditional is not None
        return guided(unconditional, conditional, self.scale)


@dataclass(frozen=True)
class InversionSettings:
    """steps: of denoising; guidance_scale: the family's usual one when None; null: of the null optimisation."""

    steps: int = STEPS
    guidance_scale: float | None = None
    null: NullSettings = field(default_factory=NullSettings)


def prepare(
    method: str,
    model: Model,
    latents: Tensor,
    prompt: Prompt,
    settings: InversionSettings | None = None,
    progress: Progress | None = None,
) -> Inversion:
    """Bring clean latents (B, C, h, w) to noise, with what the method needs to bring them back under guidance.

    Raises:
        BlemishError: no such method.
    """
    if method not in METHODS:
        raise BlemishError(f"{method}: no such method; allowed are {', '.join(METHODS)}")
    settings = settings or InversionSettings()
    schedule = Schedule(model, settings.steps)
    scale = GUIDANCE[model.family] if settings.guidance_scale is None else settings.guidance_scale
    trajectory = invert(model, latents, prompt, schedule, progress)
    if method == "direct":
        return DirectInversion(trajectory, prompt, schedule, scale)
    if method == "negative-prompt":
        return NullInversion(trajectory, prompt, schedule, scale)
    found = optimise(model, trajectory, prompt, schedule, scale, settings.null, progress)
    return NullInversion(trajectory, prompt, schedule, scale, found)
