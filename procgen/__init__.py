"""What can be on a surface, as fields over its points: noise, placement, finish, impurities, defects, their stacking.

The public names stand in `__init__.pyi` and are loaded when first used. Nothing here knows of scenes, Blender or
learning.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
