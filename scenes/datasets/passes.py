"""What a frame may hold beside its picture and masks, on request: depth, normals, albedo and the objects' numbers.

    depth/000000.png        or .exr: metres along the optical axis
    normal/000000.png       or .exr: unit vectors as the camera sees them: x right, y up, z towards it
    albedo/000000.png       or .exr: the share of light that the surface reflects, linear, BT.709 primaries
    objects/000000.png      the number of the object, 0 where there is none

Of 16-bit PNG: depth counts in equal steps from the frame's nearest, 1, to its farthest, 65535, both of which its record
says in metres; a normal's coordinates are 32768 + 32767 times their value; albedo is 65535 times its value. 0 is where
nothing is. OpenEXR holds the numbers themselves in channels Z; X, Y, Z; R, G, B: infinite depth where nothing is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from scenes.pictures import exr, png

PassName = Literal["depth", "normal", "albedo", "objects"]
PassFormat = Literal["png", "exr"]
PASSES: tuple[PassName, ...] = get_args(PassName)
PASS_FORMATS: tuple[PassFormat, ...] = get_args(PassFormat)
CHANNELS: dict[str, str] = {"depth": "Z", "normal": "XYZ", "albedo": "RGB"}  # of OpenEXR
LAST = 65535
ZERO, STEPS = 32768, 32767  # of a normal's coordinate

Singles = NDArray[np.float32]
PassArray = NDArray[Any]


class PassRecord(BaseModel):
    """What a frame's record says of its passes.

    depth: metres of the codes 1 and 65535 where depth is a PNG. objects: names of the objects numbered from 1.
    """

    model_config = ConfigDict(frozen=True)

    depth: tuple[float, float] | None = None
    objects: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class PassPictures:
    """The passes of a frame: arrays as `Frame` gives them, the format of each, and the names of objects from 1 on."""

    arrays: Mapping[PassName, PassArray] = field(default_factory=dict)
    formats: Mapping[PassName, PassFormat] = field(default_factory=dict)
    objects: tuple[str, ...] = ()

    def record(self) -> PassRecord:
        ranged = self.formats.get("depth") == "png"
        return PassRecord(depth=depth_range(self.arrays["depth"]) if ranged else None, objects=self.objects)

    def files(self) -> dict[str, bytes]:
        """Contents of the files by their folders. Raises ValueError for arrays of other shapes."""
        record = self.record()
        return {name: encoded(name, self.arrays[name], self.formats[name], record) for name in self.formats}


def formats_of(passes: Collection[PassName], format: PassFormat) -> dict[PassName, PassFormat]:
    """The format of each pass, in their usual order, where one is asked for; numbers of objects are PNG always."""
    return {name: "png" if name == "objects" else format for name in PASSES if name in passes}


def encoded(name: PassName, values: PassArray, format: PassFormat, record: PassRecord) -> bytes:
    """A pass as the content of its file."""
    if format == "exr":
        channels = values.astype(np.float32).reshape(*values.shape[:2], -1)
        return exr.encode({letter: channels[..., at] for at, letter in enumerate(CHANNELS[name])})
    if name == "objects":
        return png.encode(values.astype(np.uint16, copy=False))
    if name == "albedo":
        return png.encode(np.rint(np.clip(values, 0, 1) * np.float64(LAST)).astype(np.uint16))
    if name == "normal":
        codes = ZERO + np.rint(values * np.float64(STEPS))
        return png.encode(np.where(values.any(axis=-1, keepdims=True), codes, 0).astype(np.uint16))
    assert record.depth is not None
    nearest, farthest = record.depth
    share = (values.astype(np.float64) - nearest) / (farthest - nearest or 1.0)
    codes = 1 + np.rint(share * (LAST - 1))
    return png.encode(np.where(np.isfinite(values), codes, 0).astype(np.uint16))


def decoded(
    name: PassName, content: bytes, format: PassFormat, record: PassRecord, shape: tuple[int, int]
) -> PassArray:
    """A pass from the content of its file: float32 (H, W), (H, W, 3), or uint16 (H, W) of objects.

    Raises PngError, ExrError for a file that is none of that pass and `shape` (H, W).
    """
    most = shape[0] * shape[1]
    letters = CHANNELS.get(name, "")
    if format == "exr":
        channels = exr.decode(content, most)
        height, width = next(iter(channels.values())).shape
        if channels.keys() != set(letters) or (height, width) != shape:
            found = f"{width} x {height} pixels of {', '.join(channels)}"
            raise exr.ExrError(f"holds {found}, not {shape[1]} x {shape[0]} of {', '.join(letters)}")
        values = np.stack([channels[letter].astype(np.float32) for letter in letters], axis=-1)
        return values if len(letters) > 1 else values[..., 0]
    codes = png.decode(content, most)
    if codes.dtype != np.uint16 or codes.shape != (*shape, *((3,) if len(letters) > 1 else ())):
        raise png.PngError(f"holds {codes.dtype} of shape {codes.shape}, not the 16 bits of this pass of its frame")
    if name == "objects":
        return codes
    if name == "albedo":
        return (codes / np.float64(LAST)).astype(np.float32)
    if name == "normal":
        there = codes.any(axis=-1, keepdims=True)
        return np.where(there, (codes.astype(np.float64) - ZERO) / STEPS, 0).astype(np.float32)
    if record.depth is None:
        raise png.PngError("is of depths whose range its frame's record does not say")
    nearest, farthest = record.depth
    depth = nearest + (codes.astype(np.float64) - 1) * ((farthest - nearest) / (LAST - 1))
    return np.where(codes > 0, depth, np.inf).astype(np.float32)


def depth_range(depth: Singles) -> tuple[float, float]:
    """The nearest and the farthest of (H, W) depths that are finite; 0 and 0 where none is."""
    finite = depth[np.isfinite(depth)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
