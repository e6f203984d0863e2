"""Having an inspector judge every frame of a dataset, for its page: pack by pack, so that a stopped run goes on."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anomaly.inspection.inspector import BANK_FILE, Inspector
from anomaly.inspection.predicting import HERE, Prediction, predict_samples
from scenes.datasets.files import sha256_of
from scenes.formats.sample import Sample
from scenes.gallery.judged import Judged
from scenes.gallery.packs import Take, packed
from scenes.gallery.survey import Survey
from scenes.gallery.things import seen
from scenes.gallery.thumbnails import text, thumbnail_size
from scenes.jobs.executor import Executor
from scenes.jobs.progress import Progress
from scenes.version import blemish_version

SCHEMA = 1  # of what is kept of a judgement; another one has every frame judged again
DEEPEST = 255  # of a map's levels


def judge(
    inspector: Inspector,
    folder: Path,
    survey: Survey,
    samples: Mapping[int, Sample],
    out: Path,
    progress: Progress,
    executor: Executor = HERE,
) -> Judged:
    """What an inspector of a folder says of a survey's frames, whose packs go to `out`.

    samples: of the frames, by their numbers. Frames that an earlier run had judged are not judged again. executor:
    where maps are made, which changes no byte. Raises what reading and judging them raises.
    """
    digest = sha256_of(folder / BANK_FILE)
    place = f"judged-{digest[:12]}"
    dataset = survey.dataset

    def make(positions: Sequence[int], take: Take) -> None:
        chosen = [samples[dataset.indices[position]] for position in positions]

        def measured(number: int, prediction: Prediction) -> None:
            anomaly_map, score = prediction[1][:], prediction[2]
            low, high, levels = small_map(anomaly_map)
            peaks = [float(anomaly_map[mask].max()) for _, mask in seen(dataset[positions[number]])]
            take(number, ({"score": float(score), "peaks": peaks, "low": low, "high": high}, {"maps": levels}))

        predict_samples(inspector, chosen, measured, executor)

    settings = [SCHEMA, blemish_version(), digest, inspector.tile, inspector.computing.half_precision]
    packs = packed(dataset, out / place, settings, make, f"judging by {folder.name}", progress)
    judged = [frame for pack in packs for frame in pack["frames"]]
    training, kept_back = inspector.training, set(inspector.training.kept_back)
    known = [
        training.has_seen(sample.group) or sample.group in kept_back or sample.split == "train"
        for sample in (samples[index] for index in dataset.indices)
    ]
    return Judged(
        name=folder.resolve().name,
        folder=place,
        threshold=training.threshold,
        origin=training.threshold_origin,
        scores=_column(judged, "score"),
        peaks=np.array([peak for frame in judged for peak in frame["peaks"]], dtype=np.float32),
        low=_column(judged, "low"),
        high=_column(judged, "high"),
        seen=np.array(known, dtype=np.bool_),
        packs=packs,
    )


def small_map(anomaly_map: NDArray[np.float32]) -> tuple[float, float, str]:
    """An anomaly map (H, W) of the size of the frame's thumbnail, as a PNG of 8 bits in base64.

    And the values that its levels 0 and 255 stand for.
    """
    height, width = thumbnail_size(anomaly_map.shape[0], anomaly_map.shape[1])
    small = np.asarray(Image.fromarray(anomaly_map).resize((width, height), Image.Resampling.BOX))
    low, high = float(small.min()), float(small.max())
    levels = np.rint((small - low) / ((high - low) or 1.0) * DEEPEST).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(levels).save(stream, "PNG", compress_level=9)
    return low, high, text(stream.getvalue())


def _column(judged: Sequence[Mapping[str, Any]], name: str) -> NDArray[np.float32]:
    return np.array([frame[name] for frame in judged], dtype=np.float32)
