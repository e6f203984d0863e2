"""Direct inversion: the unconditional prediction that guidance would need to stay on the trajectory, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffusion_refine.core.models import Prompt
from diffusion_refine.core.schedule import Schedule
from diffusion_refine.inversion.ddim import Trajectory


@dataclass(frozen=True)
class DirectInversion:
    """Guidance whose source branch is the trajectory, and whose targets share the source's unconditional prediction.

    With ε_∅ from the closed form put into ε_∅ + w·(ε_t − ε_∅), a target's noise is ε_req + w·(ε_t − ε_c): what
    reconstructs the source, and the difference that the target's words make. Nothing is optimised, nothing is asked
    of the model without words, and the source branch itself needs no prediction at all.
    """

    trajectory: Trajectory
    prompt: Prompt
    schedule: Schedule
    scale: float
    method: str = "direct"

    def __getitem__(self, picture: int) -> DirectInversion:
        prompt = self.prompt.expand(len(self.trajectory))[picture]
        return DirectInversion(self.trajectory[picture], prompt, self.schedule, self.scale)

    def null(self, index: int) -> Prompt | None:
        """None: no step asks the model without words."""
        return None

    def asks(self, branches: int) -> bool:
        """Only targets do."""
        return branches > len(self.trajectory)

    def guided(
        self, index: int, latents: Tensor, conditional: Tensor | None, unconditional: Tensor | None = None
    ) -> Tensor:
        """Noise of the branches (sources first): the required one, and the targets' with their words' difference."""
        count = len(self.trajectory)
        required = self.schedule.required_noise(latents[:count], self.trajectory.after(index), index)
        if len(latents) == count or conditional is None:
            return required
        return torch.cat([required, required + self.scale * (conditional[count:] - conditional[:count])])
