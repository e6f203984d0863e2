"""The pipelines of diffusers that [Jo 2025] compares with in its Table 1, of Stable Diffusion 1.x, 2.x or SDXL.

In-painting, a ControlNet that sees edges (Canny) or depth, and SDEdit, which is a partly noised picture denoised under
other words. Of its Table 1 CycleGAN, StyleGAN2-ADA, SyNDGAN and DISN have no pipeline there and are not run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import (
    AutoPipelineForImage2Image,
    AutoPipelineForInpainting,
    AutoPipelineForText2Image,
    ControlNetModel,
)
from numpy.typing import NDArray
from skimage.feature import canny
from transformers import AutoImageProcessor, AutoModelForDepthEstimation

from diffusion_refine.core.models import (
    CHECKERS,
    ModelError,
    brief,
    coarsest_of,
    device_of_choice,
    dtype_on,
    is_hub_id,
    name_in_records,
    quietly,
    side_of,
)
from diffusion_refine.editing.word_swap import as_tensor
from diffusion_refine.synthesis.baseline.kind import Kind
from diffusion_refine.synthesis.generator import Mask

SMOOTH, EDGES = 1.0, (0.1, 0.2)  # pixels; thresholds of slopes, of white
Picture = NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """How a picture is made. strength: of SDEdit and in-painting, the share of the steps that are taken."""

    steps: int
    guidance: float
    strength: float


@dataclass(frozen=True, eq=False)
class Baseline:
    """A pipeline, ready on its device. depth: estimates depth (h, w), large where it is near, of pictures."""

    kind: Kind
    name: str
    pipeline: Any
    depth: Callable[[Picture], Picture] | None = None

    @property
    def side(self) -> int:
        """Pixels a side that it was trained at."""
        return side_of(self.pipeline)

    @property
    def step(self) -> int:
        """Pixels of which sides are multiples."""
        return coarsest_of(self.pipeline)

    def made(self, picture: Picture, mask: Mask, prompt: str, asked: Asked, seed: int) -> Picture:
        """(S, S, 3) of 0 to 1, of a picture (S, S, 3) and where the defect is to be (S, S)."""
        given: dict[str, Any] = {"strength": asked.strength}
        if self.kind == Kind.inpaint:
            given |= {"image": as_tensor(picture), "mask_image": torch.from_numpy(mask)[None, None].float()}
        elif self.kind == Kind.sdedit:
            given |= {"image": as_tensor(picture)}
        else:
            given = {"image": as_tensor(control_picture(self.kind, picture, self.depth))}
        if self.kind != Kind.sdedit:
            given |= {"height": picture.shape[0], "width": picture.shape[1]}
        with quietly(), torch.no_grad():
            found = self.pipeline(
                prompt,
                num_inference_steps=asked.steps,
                guidance_scale=asked.guidance,
                generator=torch.Generator().manual_seed(seed),
                output_type="np",
                **given,
            ).images[0]
        made: Picture = np.asarray(found, np.float64)
        return made


def control_picture(kind: Kind, picture: Picture, depth: Callable[[Picture], Picture] | None) -> Picture:
    """(S, S, 3) of 0 to 1 that a ControlNet sees of a picture (S, S, 3): its edges, or its depth, near is bright."""
    if kind == Kind.canny:
        seen = canny(picture.mean(axis=2), SMOOTH, *EDGES).astype(np.float64)
    else:
        assert depth is not None
        found = depth(picture)
        seen = (found - found.min()) / max(float(np.ptp(found)), 1e-6)
    return np.repeat(seen[..., None], 3, axis=2)


def load_baseline(
    kind: Kind, model: str, controlnet: str | None, depth_model: str | None, device: str | None = None
) -> Baseline:
    """A pipeline of a model, by folder or id of the hub; safetensors only, bfloat16 on CUDA.

    Raises:
        ModelError: a model or ControlNet that is missing, unreachable or cannot be read.
    """
    chosen = device_of_choice(device)
    if kind in (Kind.canny, Kind.depth) and controlnet is None:
        raise ModelError(f"--controlnet: is missing; --kind {kind.value} needs one that learnt {kind.value}")
    if kind == Kind.depth and depth_model is None:
        raise ModelError("--depth-model: is missing; give one that estimates depth, such as a DPT, by folder or id")
    given: dict[str, Any] = {"torch_dtype": dtype_on(chosen), "use_safetensors": True}
    control = None if controlnet is None else _loaded(controlnet, ControlNetModel.from_pretrained, **given)
    more = {} if control is None else {"controlnet": control}
    opened = {Kind.inpaint: AutoPipelineForInpainting, Kind.sdedit: AutoPipelineForImage2Image}
    pipeline = _loaded(model, opened.get(kind, AutoPipelineForText2Image).from_pretrained, **CHECKERS, **given, **more)
    pipeline.set_progress_bar_config(disable=True)
    estimate = None if kind != Kind.depth or depth_model is None else _estimator(depth_model, chosen)
    return Baseline(kind, name_in_records(model), pipeline.to(chosen), estimate)


def _estimator(name: str, device: str) -> Callable[[Picture], Picture]:
    processor = _loaded(name, AutoImageProcessor.from_pretrained)
    network = _loaded(name, AutoModelForDepthEstimation.from_pretrained, use_safetensors=True).to(device).eval()

    @torch.no_grad()
    def estimated(picture: Picture) -> Picture:
        seen = processor(np.rint(255 * picture).astype(np.uint8), return_tensors="pt").to(device)
        found = network(**seen).predicted_depth[:, None].float()
        sized = torch.nn.functional.interpolate(found, size=picture.shape[:2], mode="bicubic", align_corners=False)
        depth: Picture = sized[0, 0].double().cpu().numpy()
        return depth

    return estimated


def _loaded(name: str, loader: Callable[..., Any], **given: Any) -> Any:
    """What a loader of a library gives of a folder or an id."""
    local = Path(name).is_dir()
    if not local and not is_hub_id(name):
        raise ModelError(f"{name}: no such folder; give a folder in diffusers' layout, or an id of the hub")
    try:
        with quietly():
            return loader(name, local_files_only=local, **given)
    except Exception as error:  # of many libraries, with no common ancestor
        hint = "give complete safetensors" if local else "check the id and the network, or give a folder"
        raise ModelError(f"{name}: could not be loaded ({brief(error)}); {hint}") from error
