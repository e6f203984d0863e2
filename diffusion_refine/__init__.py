"""Refinement of rendered datasets by diffusion; torch and diffusers belong here and in `anomaly` alone.

The public names stand in `__init__.pyi` and are loaded when first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
