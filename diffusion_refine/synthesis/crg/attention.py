"""Where the defect is to be: a map from the difference of what the two models see ([Luo 2025], C2 to C8).

The numbers C1 to C15 are this project's: the manuscript prints no equations, and its authors' code is what they follow.
A window's rows and columns run from -1 to 1, so that its corners lie √2 from its middle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.transforms.functional import gaussian_blur

CORNER = 2.0**0.5  # distance of a window's corner from its middle
LOWEST, HIGHEST = 0.05, 0.8  # of the threshold that parts components
FALLBACK_SHARE, FALLBACK = 0.95, 0.2  # where nothing lies above it: this quantile, at most that
SOFTER = 2.5  # deviations of the soft centre within its region's radius
IN_CENTRE = 0.5  # of the soft centre
NOTHING = 0.01  # of the attention, below which a pixel is background
TINY = 1e-8


@dataclass(frozen=True)
class AttentionSettings:
    """The published configuration's values; each part of the mechanism can be left out.

    temperature: of C3. centre_weight: of C4, 0 without; radial_decay: its deviation over the distance of a corner.
    blur: deviation in pixels, 0 without. components: whether C6 takes part; least_area, centre_region: shares of the
    window and of its side. momentum: of C7, 0 without; least_momentum: towards the end. background: whether C8 holds
    what is left of the window. reach: half sides of the box beyond which no attention is, None without an end.
    """

    temperature: float = 0.3
    centre_weight: float = 1.0
    radial_decay: float = 0.15
    blur: float = 1.0
    components: bool = True
    least_area: float = 0.01
    centre_region: float = 0.2
    threshold_factor: float = 0.6
    momentum: float = 0.9
    least_momentum: float = 0.5
    background: bool = True
    reach: float | None = 1.5

    def momentum_at(self, timestep: int, steps: int) -> float:
        """The momentum of C7 at a timestep of so many: the less, the nearer the end is."""
        least = min(self.least_momentum, self.momentum)
        return least + (self.momentum - least) * timestep / steps


@dataclass(frozen=True, eq=False)
class Focus:
    """Where in their windows boxes lie: centres and half sides, (B, 2) rows and columns, the window being -1 to 1."""

    centre: Tensor
    half: Tensor

    def distances(self, shape: tuple[int, int], scale: Tensor | float) -> Tensor:
        """(B, 1, h, w): squared distances from the centre, rows and columns over `scale`, one or (B, 2)."""
        rows, columns = self._apart(shape)
        spread = torch.as_tensor(scale, device=rows.device, dtype=rows.dtype).expand(len(self.centre), 2)
        squares: Tensor = (rows / spread[:, 0, None]).square()[:, :, None] + (columns / spread[:, 1, None]).square()[
            :, None
        ]
        return squares[:, None]

    def within(self, shape: tuple[int, int], reach: float) -> Tensor:
        """(B, 1, h, w) whether a pixel lies in the box, its sides `reach` times as long."""
        rows, columns = self._apart(shape)
        in_rows: Tensor = rows.abs() <= reach * self.half[:, :1]
        in_columns: Tensor = columns.abs() <= reach * self.half[:, 1:]
        return (in_rows[:, :, None] & in_columns[:, None])[:, None]

    def _apart(self, shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Rows (B, h) and columns (B, w) as seen from the centre."""
        rows, columns = (torch.linspace(-1, 1, side, device=self.centre.device) for side in shape)
        return rows - self.centre[:, :1], columns - self.centre[:, 1:]


def middle(count: int, device: torch.device | str = "cpu") -> Focus:
    """So many windows whose boxes are not known: all of their middles."""
    return Focus(torch.zeros((count, 2), device=device), torch.ones((count, 2), device=device))


def stretched(values: Tensor) -> Tensor:
    """Maps (B, 1, h, w) brought to [0, 1], each by itself."""
    low, high = values.amin(dim=(1, 2, 3), keepdim=True), values.amax(dim=(1, 2, 3), keepdim=True)
    return (values - low) / (high - low + TINY)


def difference(good: Tensor, defective: Tensor) -> Tensor:
    """C2: (B, 1, h, w) how far windows (B, C, h, w) differ, 0 where least and 1 where most."""
    return stretched((good - defective).abs().mean(dim=1, keepdim=True))


def sharpened(differences: Tensor, temperature: float) -> Tensor:
    """C3: the lower the temperature, the nearer to 0 and 1."""
    return torch.sigmoid((differences - 0.5) / temperature)


def centred(attention: Tensor, focus: Focus, weight: float, spread: Tensor | float) -> Tensor:
    """C4: more towards the centre; spread: of the Gaussian, one or (B, 2)."""
    bell = torch.exp(-0.5 * focus.distances(_shape(attention), spread))
    return (attention * (1.0 + weight * bell)).clamp(0.0, 1.0)


def blurred(attention: Tensor, sigma: float) -> Tensor:
    """C5: by a Gaussian of `sigma` pixels, three deviations wide either way."""
    if sigma <= 0.0:
        return attention
    side = max(3, 2 * int(3 * sigma) + 1)
    found: Tensor = gaussian_blur(attention, [side, side], [sigma, sigma])
    return found


def labelled(mask: Tensor) -> Tensor:
    """(B, 1, h, w) int64: a number for each 8-connected component of a mask (B, 1, h, w), 0 outside.

    Every pixel takes the largest number next to it until none changes: nothing leaves the device.
    """
    count = mask[0].numel()
    numbers = torch.arange(1, count + 1, device=mask.device, dtype=torch.float32).reshape(1, *mask.shape[1:]) * mask
    for _ in range(count):  # the longest way through a mask at most
        spread = functional.max_pool2d(numbers, 3, stride=1, padding=1) * mask
        if torch.equal(spread, numbers):
            break
        numbers = spread
    return numbers.long()


def connected(attention: Tensor, focus: Focus, settings: AttentionSettings) -> Tensor:
    """C6: the attention of components that are large enough and touch the centre; where none is, what is near it."""
    shape = _shape(attention)
    soft = torch.exp(-0.5 * focus.distances(shape, settings.centre_region * CORNER / SOFTER))
    centre = soft > IN_CENTRE
    there = centre.sum(dim=(1, 2, 3), keepdim=True).clamp(min=1)
    mean = (attention * centre).sum(dim=(1, 2, 3), keepdim=True) / there
    threshold = (mean * settings.threshold_factor).clamp(LOWEST, HIGHEST)
    place = max(0, int(FALLBACK_SHARE * shape[0] * shape[1]) - 1)
    quantile = attention.flatten(1).sort(dim=1).values[:, place].reshape(-1, 1, 1, 1).clamp(max=FALLBACK)
    nothing = ~(attention > threshold).any(dim=3, keepdim=True).any(dim=2, keepdim=True)
    numbers = labelled(attention > torch.where(nothing, quantile, threshold)).flatten(1)
    counts = numbers.new_zeros((len(numbers), shape[0] * shape[1] + 1))
    areas = counts.scatter_add(1, numbers, torch.ones_like(numbers))
    touching = counts.scatter_add(1, numbers, centre.flatten(1).long())
    kept = (areas >= settings.least_area * shape[0] * shape[1]) & (touching > 0)
    kept[:, 0] = False
    chosen = kept.gather(1, numbers).reshape(attention.shape) * attention
    return torch.where(chosen.amax(dim=(1, 2, 3), keepdim=True) > 0, chosen, attention * soft)


def accumulated(before: Tensor | None, now: Tensor, momentum: float) -> Tensor:
    """C7: the moving average over the timesteps, brought to [0, 1]; the first is what it is."""
    return now if before is None else stretched(momentum * before + (1.0 - momentum) * now)


def background_of(attention: Tensor) -> Tensor:
    """C8: (B, 1, h, w) bool, where next to nothing of the attention is."""
    return attention < NOTHING


def attended(
    good: Tensor,
    defective: Tensor,
    before: Tensor | None,
    momentum: float,
    focus: Focus,
    settings: AttentionSettings,
) -> Tensor:
    """C2 to C7 of the good windows (B, C, h, w) and what the defects' model sees in their place."""
    attention = sharpened(difference(good, defective), settings.temperature)
    boxed = settings.reach is not None
    spread = focus.half / 2 if boxed else settings.radial_decay * CORNER  # a box is four deviations wide
    attention = blurred(centred(attention, focus, settings.centre_weight, spread), settings.blur)
    if settings.reach is not None:
        attention = attention * focus.within(_shape(attention), settings.reach)
    if settings.components:
        attention = connected(attention, focus, settings)
    return accumulated(before, attention, momentum)


def _shape(values: Any) -> tuple[int, int]:
    height, width = values.shape[-2:]
    return height, width
