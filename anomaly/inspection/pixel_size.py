"""How large a pixel is on rendered surfaces, which the scenes of their dataset tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anomaly.inspection.inspector import PixelSize
from scenes.camera.imaging import pixel_footprint
from scenes.datasets.reader import Frame
from scenes.formats.blemish import FrameOfDataset
from scenes.formats.sample import Sample

ASKED = 100  # frames, evenly among all
AGREE = 0.02  # relative difference of two frames' pixels that no size notices


def pixel_size_of(samples: Sequence[Sample]) -> PixelSize | None:
    """What a pixel shows across in the plane that the camera is focused on; None where pictures do not agree on it.

    Photographs do not tell. Raises DatasetError where a frame is damaged.
    """
    chosen = [samples[index] for index in np.unique(np.linspace(0, len(samples) - 1, ASKED).round().astype(int))]
    frames = [sample.annotation for sample in chosen if isinstance(sample.annotation, FrameOfDataset)]
    if len(frames) < len(chosen):
        return None
    cameras = [Frame(frame.dataset, frame.index).scene.camera for frame in frames]
    sizes = [pixel_footprint(camera, camera.focus_distance) for camera in cameras]
    shapes = {(camera.height, camera.width) for camera in cameras}
    if len(shapes) > 1 or max(sizes) > (1 + AGREE) * min(sizes):
        return None
    ((height, width),) = shapes
    return PixelSize(float(np.median(sizes)), height, width)
