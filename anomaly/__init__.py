"""Anomaly detection on inspected surfaces: features, the sequential coreset, Sequential PatchCore, metrics, reports.

The public names stand in `__init__.pyi` and are loaded when first used: only who asks for a model waits for torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
