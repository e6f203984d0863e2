"""What a Blender process is told to do, and the lines by which it tells how it goes."""

import json
from dataclasses import asdict, dataclass
from typing import Any

READY_MARK = "blemish-ready"  # the stage is set; from here on time goes into frames
FRAME_MARK = "blemish-frame "  # followed by the index of a frame that is written
ERROR_MARK = "blemish-error "  # followed by one line for the user
LIST_CARDS = "cards"  # instead of a job: tell which graphics cards there are
CARDS_MARK = "blemish-cards "  # followed by their names by back end, as JSON
EXPORT = "export "  # followed by [.blend, object, folder] as JSON, instead of a job: write the object as a mesh file
EXPORTED_MARK = "blemish-exported "  # followed by the file's path
PAUSE, RESUME = "pause", "resume"  # lines to the process: begin no further frame; go on


@dataclass(frozen=True)
class Job:
    """One process's share of a dataset: the recipe as JSON, where to write, and which frames.

    settings: what the dataset says that its frames depend on besides. device, card: see
    `blender_addon.workers.devices`.
    """

    recipe: str
    out: str
    seed: int
    frames: int
    samples: int
    settings: dict[str, Any]
    threads: int
    indices: tuple[int, ...] = ()
    device: str = "cpu"
    card: int = 0

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Job":
        fields = json.loads(text)
        return cls(**{**fields, "indices": tuple(fields["indices"])})
