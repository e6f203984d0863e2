"""The methods of `blemish synthesize`, by name; a method's module is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from procgen.errors import BlemishError

if TYPE_CHECKING:
    from diffusion_refine.synthesis.generator import Synthesis

# Name -> the module whose function `synthesis(request, *, …)` opens it; its keyword parameters become options.
METHODS = {
    "baseline": "diffusion_refine.synthesis.baseline.method",
    "copy-paste": "diffusion_refine.synthesis.copy_paste.method",
    "crg": "diffusion_refine.synthesis.crg.method",
    "cutpaste": "diffusion_refine.synthesis.cutpaste.method",
    "draem": "diffusion_refine.synthesis.draem.method",
    "edit": "diffusion_refine.synthesis.edit.method",
    "maphc2f": "diffusion_refine.synthesis.maphc2f.method",
    "procedural": "diffusion_refine.synthesis.procedural.method",
    "refine": "diffusion_refine.synthesis.refine.method",
    "sard": "diffusion_refine.synthesis.sard.method",
}


def factory_of(method: str) -> Callable[..., Synthesis]:
    """What opens a method. Raises BlemishError for one that is not there."""
    if method not in METHODS:
        raise BlemishError(f"--method: found {method}; expected one of {', '.join(METHODS)}")
    factory: Callable[..., Synthesis] = import_module(METHODS[method]).synthesis
    return factory
