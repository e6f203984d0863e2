"""Everything that touches Blender: the stage a drawn scene is put on, its passes, the loop over frames, and the panel.

The public names stand in `__init__.pyi` and are loaded when first used. `register` and `unregister` are what Blender
calls of an add-on.
"""

import lazy_loader

bl_info = {
    "name": "Blemish",
    "author": "The Blemish developers",
    "description": "Training data for surface inspection, rendered with exact masks",
    "version": (0, 1, 0),
    "blender": (3, 4, 0),
    "location": "3D View > Sidebar > Blemish",
    "category": "Render",
    "support": "COMMUNITY",
}

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
