"""What a Blender process is told to do, and the lines by which it tells how it goes."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenes.datasets.passes import PassFormat, PassName

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

    recipe: as JSON, that of the dataset. passes: the format of each that frames have. device, card: see
    `blender_addon.workers.devices`. folder: where it leaves the files of a frame, each in a folder of its number.
    blend, digest: the .blend whose own scene is rendered and its SHA-256; "" for Blemish's stage. shots: whether it
    renders shots for calibration instead.
    """

    recipe: str
    seed: int
    samples: int
    passes: "Mapping[PassName, PassFormat]" = field(default_factory=dict)
    threads: int = 1
    device: str = "cpu"
    card: int = 0
    folder: str = ""
    blend: str = ""
    digest: str = ""
    shots: bool = False

    def of_process(self, number: int, cores: int, cards: int) -> "Job":
        """The job of the process of this number on a machine: its cores, and its card of those that are shared out."""
        return replace(self, threads=cores, card=number % max(1, cards))

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Job":
        return cls(**json.loads(text))
