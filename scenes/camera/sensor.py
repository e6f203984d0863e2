"""A camera's sensor: from the light that arrives to the numbers in the picture file."""

import numpy as np
from numpy.typing import NDArray

from scenes.camera.jpeg import through_jpeg
from scenes.camera.line_scan import column_gains, column_offsets, jittered
from scenes.camera.noise import with_noise
from scenes.camera.optics import blurred, dirt_transmission, relative_illumination
from scenes.camera.sharpening import sharpened
from scenes.camera.transfer import quantised, transferred
from scenes.camera.white_balance import gains
from scenes.scene import Sensor

Singles = NDArray[np.float32]

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)  # ITU-R BT.709, the primaries of the linear render


def develop(linear: Singles, sensor: Sensor) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The picture that a sensor takes of a linear radiance image.

    linear: (H, W, 3) float32, W/m²/sr, BT.709 primaries, from a render without noise of its own sensor.
    Returns (H, W, 3), or (H, W) for a monochrome sensor; uint8 or uint16 as `sensor.bits` says.
    In the order of the physics: exposure; vignetting and dirt on the lens; its blur; rows that shake; columns that
    answer differently; shot and read noise; columns' offsets; saturation. Then in that of the camera: white balance,
    threshold, transfer curve, negative, sharpening, quantisation, JPEG.
    Raises ValueError for another shape or for radiance that is not finite.
    """
    if linear.ndim != 3 or linear.shape[2] != 3:
        raise ValueError(f"found an image of shape {linear.shape}; expected (height, width, 3)")
    if not np.isfinite(linear).all():
        raise ValueError("found NaN or infinite radiance; expected finite numbers")
    light = linear @ LUMINANCE[:, None] if sensor.monochrome else linear
    electrons = with_noise(on_the_chip(np.float32(sensor.exposure) * light, sensor), sensor)
    stored = quantised(processed(saturated(electrons, sensor), sensor), sensor.bits)
    picture = stored[..., 0] if sensor.monochrome else stored
    return picture if sensor.jpeg_quality is None else through_jpeg(picture.astype(np.uint8), sensor.jpeg_quality)


def on_the_chip(exposed: Singles, sensor: Sensor) -> Singles:
    """What of (H, W, C) fractions of full well the lens and the sensitivity of each pixel leave."""
    height, width = exposed.shape[:2]
    shaded = exposed * relative_illumination(height, width, sensor.vignetting)[..., None]
    if sensor.dirt:
        shaded *= dirt_transmission(height, width, sensor.dirt)[..., None]
    shaken = jittered(blurred(shaded, sensor.blur), sensor.row_jitter, sensor.seed)
    return shaken * column_gains(width, sensor.column_gain, sensor.seed)[:, None] if sensor.column_gain else shaken


def saturated(electrons: Singles, sensor: Sensor) -> Singles:
    """(H, W, C) fractions of full well, 0 to 1, each column with its offset."""
    if sensor.column_offset:
        offsets = column_offsets(electrons.shape[1], sensor.column_offset, sensor.seed)
        electrons = electrons + offsets[:, None]
    return np.clip(electrons, 0, 1)


def processed(raw: Singles, sensor: Sensor) -> Singles:
    """What the camera makes of (H, W, C) fractions of full well: fractions of the largest stored number."""
    if sensor.white_balance is not None and not sensor.monochrome:
        raw = np.clip(raw * gains(sensor.white_balance), 0, 1)
    if sensor.threshold is not None:
        raw = (raw > sensor.threshold).astype(np.float32)
    shown = transferred(raw, sensor.transfer)
    return sharpened(1 - shown if sensor.negative else shown, sensor.sharpening, sensor.sharpening_radius)
