"""The CRG generator: defects drawn into boxes by two models, the rest of the picture as it was, bit for bit."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from diffusion_refine.synthesis.crg.boxes import Box, box_of
from diffusion_refine.synthesis.crg.drawing import Change, drawn
from diffusion_refine.synthesis.crg.model import CrgModel
from diffusion_refine.synthesis.crg.sampling import CrgSettings, expected_calls
from diffusion_refine.synthesis.crg.sources import BoxSource, WantedBox
from diffusion_refine.synthesis.generator import FrameStream, GeneratedFrame, Mask, SourceFrame
from diffusion_refine.synthesis.pasting.pastes import Paste, differs, pasted_frame, shows


@dataclass(frozen=True, eq=False)
class CrgGenerator:
    """whole: whether all that the models saw of a box's surroundings is taken over, as the published code does.

    bits: class name -> bit of the class masks that are made.
    """

    model: CrgModel
    boxes: BoxSource
    settings: CrgSettings
    whole: bool
    bits: dict[str, int]

    def described(self, variant: int) -> dict[str, Any]:
        return {
            "method": "crg",
            "settings": {
                **asdict(self.settings),
                "whole": self.whole,
                "context": self.model.size,
                **self.boxes.written(),
            },
            "model": {"sha256": dict(self.model.sha256), "device": self.model.device.type},
        }

    def generate(self, frame: SourceFrame, mask: Mask, stream: FrameStream) -> GeneratedFrame:
        """A defect in each box whose attention lies where `mask` is; none on another."""
        random = stream.generator()
        wanted = list(self.boxes.drawn(frame, mask, random))
        changes, calls = drawn(self.model, frame.image, [one.box for one in wanted], self.settings, random, self.whole)
        free, pastes, unseen = mask.copy(), [], 0
        for one, change in zip(wanted, changes, strict=True):
            paste = _paste(one, change, free)
            if paste is None or not differs(paste, frame.image):
                continue
            if not self.whole and not shows(paste, frame.image):
                unseen += 1
                continue
            pastes.append(paste)
            free[paste.slices] &= ~paste.mask
        made = pasted_frame(frame, pastes, self.bits, unseen)
        least, most = expected_calls(self.settings)
        batches = calls.prior // max(1, least.prior)
        told = {
            "context": calls.context,
            "prior": calls.prior,
            "by_schedule": [batches * least.context, batches * most.context],
        }
        return replace(made, record={**made.record, "asked": len(wanted), "unet_calls": told})


def _paste(wanted: WantedBox, change: Change, free: Mask) -> Paste | None:
    """What of a change lies on free surface; None where no defect does."""
    labelled = change.mask & free[change.part]
    if not labelled.any():
        return None
    changed = change.changed & free[change.part]
    rows, columns = (np.flatnonzero(changed.any(axis=axis)) for axis in (1, 0))
    own = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    box, (top, left) = wanted.box, (span.start for span in change.part)
    seen = box_of(labelled, box.class_name)
    drawn_box = Box(box.class_name, seen.row + top, seen.column + left, seen.height, seen.width)
    record = {
        "given": box.written()["box"],
        "drawn": drawn_box.written()["box"],
        "window": [change.window.top, change.window.left, change.window.side],
        **wanted.record,
    }
    return Paste(
        top + int(rows[0]),
        left + int(columns[0]),
        changed[own],
        change.pixels[own],
        box.class_name,
        record=record,
        parents=wanted.parents,
        labelled=labelled[own],
    )
