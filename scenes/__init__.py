"""Recipes, parts, light, camera and sensor; drawing scenes from them, and the dataset on disk.

The public names stand in `__init__.pyi` and are loaded when first used, so that `import scenes` costs next to nothing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
