"""What is asked of any method."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """The inputs, a seed, and whether the label check takes part (None: as the method has it)."""

    inputs: tuple[Path, ...]
    seed: int = 0
    label_check: bool | None = None
