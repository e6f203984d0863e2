"""Everything that touches Blender: the stage a drawn scene is put on, its passes, and the loop over frames."""

from blender_addon.render import RenderError, render_dataset

__all__ = ["RenderError", "render_dataset"]
