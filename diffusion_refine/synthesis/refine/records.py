"""What is written of a refinement: its figures, and which model made it."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray

from diffusion_refine.core.models import Model, name_in_records
from diffusion_refine.metrics import fidelity as metrics
from diffusion_refine.synthesis.generator import Mask
from diffusion_refine.synthesis.tracking import DIGITS


def measured(before: NDArray[np.float64], after: NDArray[np.float64], mask: Mask) -> dict[str, float | None]:
    """The figures that are kept with a frame; None where there is nothing to compare."""
    same = np.array_equal(before, after)
    found = {
        "psnr": metrics.psnr(before, after),
        "ssim": 1.0 if same or min(before.shape[:2]) < 11 else metrics.ssim(before, after),
        "background_psnr": metrics.background_psnr(before, after, mask),
        "mask_edit_iou": metrics.mask_edit_iou(before, after, mask),
    }
    return {name: None if value is None else round(value, DIGITS) for name, value in found.items()}


def model_record(model: Model) -> dict[str, str]:
    """The name of a model, the SHA-256 of its weights, and the kind of device that it runs on."""
    return {"name": name_in_records(model.name), "sha256": digest_of(model), "device": model.device.type}


def digest_of(model: Model) -> str:
    """SHA-256 of all weights of a model, by their names."""
    total = hashlib.sha256()
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        module = getattr(model.pipeline, part, None)
        weights = {} if module is None else module.state_dict()
        for name, tensor in sorted(weights.items()):
            total.update(f"{part}.{name}".encode())
            total.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
