"""What the panel Preview keeps in the .blend: the objects that it shows, and how."""

import bpy

from blender_addon.ui.changes import changed

PREVIEW_SIZES = (256, 512, 1024, 2048)


class BlemishPreview(bpy.types.PropertyGroup):
    """What the preview shows, and how.

    snapshot: the file that holds the mesh of `source` as it was taken. hides_source: whether that is hidden for the
    part; hidden_in: names of the view layers, in JSON, that showed it before; hidden_render: whether renders did.
    collection, room: the stage that is in the scene; camera_before, world_before: what the scene had in their place.
    resolution_*: width, height and percentage that the scene had, and that the stage gave it; 0 while there is none.
    was_solid: whether the view was in Solid mode before it showed the part.
    """

    __annotations__ = {
        "object": bpy.props.PointerProperty(
            type=bpy.types.Object, name="Object", description="The object that shows the part"
        ),
        "source": bpy.props.PointerProperty(
            type=bpy.types.Object, name="Source", description="The object of yours that is inspected"
        ),
        "snapshot": bpy.props.StringProperty(options={"HIDDEN"}),
        "hides_source": bpy.props.BoolProperty(options={"HIDDEN"}),
        "hidden_in": bpy.props.StringProperty(default="[]", options={"HIDDEN"}),
        "hidden_render": bpy.props.BoolProperty(options={"HIDDEN"}),
        "collection": bpy.props.PointerProperty(type=bpy.types.Collection, options={"HIDDEN"}),
        "room": bpy.props.PointerProperty(type=bpy.types.World, options={"HIDDEN"}),
        "camera_before": bpy.props.PointerProperty(type=bpy.types.Object, options={"HIDDEN"}),
        "world_before": bpy.props.PointerProperty(type=bpy.types.World, options={"HIDDEN"}),
        "resolution_before": bpy.props.IntVectorProperty(size=3, options={"HIDDEN"}),
        "resolution_set": bpy.props.IntVectorProperty(size=3, options={"HIDDEN"}),
        "was_solid": bpy.props.BoolProperty(options={"HIDDEN"}),
        "live": bpy.props.BoolProperty(
            name="Live", description="Draw the preview anew whenever a setting changes", default=True, update=changed
        ),
        "size": bpy.props.EnumProperty(
            name="Resolution",
            description="Texels on a side of the preview; renders have their own",
            items=[(str(size), f"{size} px", f"{size} × {size} texels") for size in PREVIEW_SIZES],
            default="512",
            update=changed,
        ),
        "overlay": bpy.props.BoolProperty(
            name="Mask Overlay", description="Show where the masks are, each class in its colour", update=changed
        ),
        "overlay_opacity": bpy.props.FloatProperty(
            name="Opacity",
            description="Strength of the overlay",
            subtype="FACTOR",
            min=0,
            max=1,
            default=0.6,
            update=changed,
        ),
        "stage": bpy.props.BoolProperty(
            name="Show in Scene",
            description="Put the recipe's camera and light into the scene, as the frame has them",
            update=changed,
        ),
    }


register, unregister = bpy.utils.register_classes_factory((BlemishPreview,))
