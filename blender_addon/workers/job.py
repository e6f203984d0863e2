"""What a Blender process is told to do, and the lines by which it tells how it goes."""

import json
from dataclasses import asdict, dataclass

READY_MARK = "blemish-ready"  # the stage is set; from here on time goes into frames
FRAME_MARK = "blemish-frame "  # followed by the index of a frame whose files lie in the job's folder
ERROR_MARK = "blemish-error "  # followed by one line for the user
RADIANCE = "radiance.npy"  # the one file of a shot for calibration: (H, W, 3) float32, W/m²/sr
LIST_CARDS = "cards"  # instead of a job: tell which graphics cards there are
CARDS_MARK = "blemish-cards "  # followed by their names by back end, as JSON
EXPORT = "export "  # followed by [.blend, object, folder] as JSON, instead of a job: write the object as a mesh file
EXPORTED_MARK = "blemish-exported "  # followed by the file's path


@dataclass(frozen=True)
class Job:
    """What one process renders frames of, whose numbers are told one after the other.

    recipe: as JSON, that of the dataset. device, card: see `blender_addon.workers.devices`. folder: where it leaves
    the files of a frame, each in a folder of the frame's number.
    """

    recipe: str
    seed: int
    samples: int
    threads: int = 1
    device: str = "cpu"
    card: int = 0
    folder: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Job":
        return cls(**json.loads(text))
