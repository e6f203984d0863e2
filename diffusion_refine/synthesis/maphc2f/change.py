"""The change of the picture that a defect makes, in the gradient domain (P4): what physics draws, and no seam.

Δv = ∇·∇a in the mask and v = 0 round it [Pérez 2003]: v is a and what is harmonic in the mask and takes a away there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from diffusion_refine.synthesis.copy_paste.blending import membrane
from diffusion_refine.synthesis.generator import Mask

Values = NDArray[np.float64]


def seamless_change(appearance: Values, mask: Mask, others: Mask | None = None) -> Values:
    """v (h, w, C) of P4, 0 outside mask (h, w), of the appearance a (h, w, C) that physics gives the picture there.

    others: (h, w) of defects beside this one, whose border holds nothing.
    """
    rim = binary_dilation(mask) & ~mask
    if others is not None:
        rim &= ~others
    found: Values = np.where(mask[..., None], appearance + membrane(mask, rim, -appearance), 0.0)
    return found
