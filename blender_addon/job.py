"""What a Blender process is told to do, and the lines by which it tells how it goes."""

import json
from dataclasses import asdict, dataclass

READY_MARK = "blemish-ready"  # the stage is set; from here on time goes into frames
FRAME_MARK = "blemish-frame "  # followed by the index of a frame that is written
ERROR_MARK = "blemish-error "  # followed by one line for the user
PAUSE, GO = "pause", "go"  # lines to the process: begin no further frame; go on


@dataclass(frozen=True)
class Job:
    """One process's share of a dataset: the recipe as JSON, where to write, and which frames."""

    recipe: str
    out: str
    seed: int
    frames: int
    samples: int
    threads: int
    indices: tuple[int, ...]

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Job":
        fields = json.loads(text)
        return cls(**{**fields, "indices": tuple(fields["indices"])})
