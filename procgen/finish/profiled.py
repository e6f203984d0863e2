"""What every finish of a given roughness average Ra has in common."""

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from procgen.errors import BlemishError
from procgen.finish.solid import isotropic, stream_seed
from procgen.surface.checks import require
from procgen.surface.layer import FinishSample, SurfacePoints

Floats = NDArray[np.float64]
Vector = tuple[float, float, float]

CLOUD_OCTAVES = 2
CLOUD_STREAM = 7  # the streams below it are the finish's own
REFERENCE_POINTS = 16384  # spread over REFERENCE_SIDE (m); an Ra from so many is good to half a percent
REFERENCE_SIDE = 2.0


@dataclass(frozen=True, kw_only=True)
class ProfiledFinish:
    """A solid texture whose height has the arithmetic mean Ra (ISO 4287: the mean distance from the mean line).

    ra: m. base_colour: (3,) linear, its median. roughness, metallic: 0 to 1. coat:
    weight of a clear coat, 0 to 1. Variations of the logarithm of the base
    colour: contrast, per Ra of height, so that valleys are darker; mottle, the standard deviation over soft clouds of
    mottle_size (m).
    Raises BlemishError for values out of range.
    """

    ra: float
    base_colour: Vector
    roughness: float
    metallic: float = 1.0
    coat: float = 0.0
    contrast: float = 0.0
    mottle: float = 0.0
    mottle_size: float = 1e-2
    seed: int = 0

    positive: ClassVar[tuple[str, ...]] = ()  # of a finish's own parameters, by what they must be
    not_negative: ClassVar[tuple[str, ...]] = ()
    shares: ClassVar[tuple[str, ...]] = ()
    directions: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        owner = f"{getattr(self, 'kind', 'profiled')} finish"
        require(
            owner,
            **{name: (getattr(self, name), "positive") for name in ("mottle_size", *self.positive)},
            **{
                name: (getattr(self, name), "not negative")
                for name in ("ra", "contrast", "mottle", "seed", *self.not_negative)
            },
            **{name: (getattr(self, name), "0 to 1") for name in ("roughness", "metallic", "coat", *self.shares)},
            **{f"base_colour[{i}]": (value, "0 to 1") for i, value in enumerate(self.base_colour)},
            **{f"{name}[{i}]": (x, "finite") for name in self.directions for i, x in enumerate(getattr(self, name))},
        )
        for name in self.directions:
            if not any(getattr(self, name)):
                raise BlemishError(f"{owner}: found a {name} of length 0; expected a direction")

    def evaluate(self, points: SurfacePoints | ArrayLike) -> FinishSample:
        """Height, colour, roughness and lay of the bare surface at N points."""
        positions = SurfacePoints.of(points).positions
        mean, ra = self._reference
        relief, tone, roughness = self._relief_and_look(positions)
        relief = (relief - mean) / ra
        # One for all channels and points, one for all channels, or one for each: as columns.
        of_channels = np.reshape(tone, (*np.shape(tone), 1, 1)[:2])
        tone = self.contrast * relief[:, np.newaxis] + of_channels
        if self.mottle > 0.0:
            clouds = isotropic(positions, self.mottle_size, CLOUD_OCTAVES, stream_seed(self.seed, CLOUD_STREAM))
            tone = tone + self.mottle * clouds[:, np.newaxis]
        lay = self._lay(positions)
        return FinishSample(
            height=(self.ra * relief).astype(np.float32),
            base_colour=np.clip(np.exp(tone) * self.base_colour, 0.0, 1.0).astype(np.float32),
            roughness=np.clip(np.full(len(positions), self.roughness) + roughness, 0.0, 1.0).astype(np.float32),
            metallic=np.full(len(positions), self.metallic, dtype=np.float32),
            lay=None if lay is None else lay.astype(np.float32),
        )

    @abstractmethod
    def _relief(self, positions: Floats) -> Floats:
        """The profile (N,), of any mean and scale."""

    def _look(self, positions: Floats) -> tuple[Floats | float, Floats | float]:
        """What else is added to the logarithm of the base colour, (N,), (N, 3) or one number; and to the roughness."""
        return 0.0, 0.0

    def _relief_and_look(self, positions: Floats) -> tuple[Floats, Floats | float, Floats | float]:
        """All three, where they share work."""
        return self._relief(positions), *self._look(positions)

    def _lay(self, positions: Floats) -> Floats | None:
        """(N, 3) unit vectors along the marks, where their direction changes."""
        return None

    @cached_property
    def _reference(self) -> tuple[float, float]:
        """Mean and Ra of the unscaled profile, from points that are the same for every surface."""
        points = np.random.default_rng(0).uniform(-REFERENCE_SIDE / 2, REFERENCE_SIDE / 2, (REFERENCE_POINTS, 3))
        relief = self._relief(points)
        mean = float(relief.mean())
        return mean, float(np.abs(relief - mean).mean()) or 1.0


@dataclass(frozen=True, kw_only=True)
class IsotropicFinish(ProfiledFinish):
    """A finish that looks the same in every direction."""

    anisotropy: ClassVar[float] = 0.0
    lay_direction: ClassVar[Vector] = (1.0, 0.0, 0.0)
