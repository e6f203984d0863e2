"""What differs between Blender's versions, here and nowhere else."""

from math import pi

import _cycles
import bpy
import numpy as np
from numpy.typing import NDArray


def name_aov_output(node: bpy.types.ShaderNodeOutputAOV, name: str) -> None:
    """Say which pass an AOV output node writes to (`name` until 4.1, `aov_name` since)."""
    if hasattr(node, "aov_name"):
        node.aov_name = name
    else:
        node.name = name


def write_float_exr(settings: bpy.types.ImageFormatSettings, *, layers: bool) -> None:
    """Save renders as 32-bit OpenEXR, all passes or the combined one."""
    if hasattr(settings, "media_type"):  # 5.0 on, and it decides which formats there are
        settings.media_type = "MULTI_LAYER_IMAGE" if layers else "IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER" if layers else "OPEN_EXR"
    settings.color_mode, settings.color_depth = "RGB", "32"
    settings.exr_codec = "NONE"  # read back at once and deleted
    if hasattr(settings, "use_exr_interleave"):
        settings.use_exr_interleave = True  # one part, as before 5.0


def write_png(settings: bpy.types.ImageFormatSettings, bits: int) -> None:
    """Save renders as PNG of red, green and blue, as the scene's colour management shows them."""
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format = "PNG"
    settings.color_mode, settings.color_depth = "RGB", str(bits)
    settings.compression = 0  # read back at once and deleted
    if hasattr(settings, "color_management"):
        settings.color_management = "FOLLOW_SCENE"


PASS_NAMES = {  # in files, since 5.0 and before
    "diffuse_color": ("Diffuse Color", "DiffCol"),
    "glossy_color": ("Glossy Color", "GlossCol"),
    "transmission_color": ("Transmission Color", "TransCol"),
    "object_index": ("Object Index", "IndexOB"),
}


def pass_name(name: str) -> str:
    """What files call the pass that view layers switch on by `use_pass_NAME`."""
    return PASS_NAMES[name][bpy.app.version < (5, 0)]


def can_denoise() -> bool:
    """Whether this build carries Open Image Denoise (Debian's 3.4 does not)."""
    return bool(getattr(_cycles, "with_openimagedenoise", False))


COAT, COAT_IOR, COAT_ROUGHNESS = "coat", 1.5, 0.03  # as Principled's own since 4.0


def add_coat(shader: bpy.types.ShaderNodeBsdfPrincipled, normal: bpy.types.NodeSocket) -> None:
    """Prepare Principled for `set_coat`.

    Its own clear coat was until 3.6 another: a quarter as strong, with long tails, and the base as bright beneath it.
    There a mirror of glass is mixed in instead.
    """
    tree = shader.id_data
    if "Coat Weight" in shader.inputs:
        tree.links.new(normal, shader.inputs["Coat Normal"])
        return
    glossy, fresnel, weight, mix = (
        tree.nodes.new(f"ShaderNode{kind}") for kind in ("BsdfGlossy", "Fresnel", "Math", "MixShader")
    )
    (surface,) = shader.outputs["BSDF"].links
    glossy.inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
    glossy.inputs["Roughness"].default_value = COAT_ROUGHNESS
    fresnel.inputs["IOR"].default_value = COAT_IOR
    weight.name, weight.operation = COAT, "MULTIPLY"
    weight.inputs[1].default_value = 0.0
    for node in (glossy, fresnel):
        tree.links.new(normal, node.inputs["Normal"])
    tree.links.new(fresnel.outputs["Fac"], weight.inputs[0])
    tree.links.new(weight.outputs["Value"], mix.inputs["Fac"])
    output = surface.to_socket
    tree.links.new(shader.outputs["BSDF"], mix.inputs[1])
    tree.links.new(glossy.outputs["BSDF"], mix.inputs[2])
    tree.links.new(mix.outputs["Shader"], output)


def set_coat(shader: bpy.types.ShaderNodeBsdfPrincipled, weight: float) -> None:
    """Cover `weight` of Principled, 0 to 1, with a clear coat."""
    since_4 = shader.inputs.get("Coat Weight")
    if since_4:
        since_4.default_value = weight
    else:
        shader.id_data.nodes[COAT].inputs[1].default_value = weight


def set_uvs(layer: bpy.types.MeshUVLoopLayer, corners: NDArray[np.float32]) -> None:
    """Write (corners, 2) texture coordinates; their own attribute came with 3.5."""
    if hasattr(layer, "uv"):
        layer.uv.foreach_set("vector", corners.ravel())
    else:
        layer.data.foreach_set("uv", corners.ravel())


def without_light_tree(settings: bpy.types.PropertyGroup) -> None:
    """Sample the lights one by one, as was the only way until the tree of 3.5."""
    if hasattr(settings, "use_light_tree"):
        settings.use_light_tree = False


def draw_progress(layout: bpy.types.UILayout, factor: float, text: str, owner: object, percent: str) -> None:
    """Draw a bar that is filled to `factor`, 0..1; until 4.0 as a slider of the owner's property `percent`."""
    if hasattr(layout, "progress"):
        layout.progress(factor=factor, text=text, type="BAR")
    else:
        row = layout.row()
        row.use_property_split = False
        row.prop(owner, percent, text=text, slider=True)


def area_energy(power: float) -> float:
    """What an area light's energy must be to emit `power` watts.

    Measured, on a diffuse plate: 3.4 emits pi/4 of its energy, 4.2 and later the whole of it.
    """
    return power * (4 / pi if bpy.app.version < (4, 0) else 1.0)


def compositing_tree(scene: bpy.types.Scene) -> bpy.types.NodeTree | None:
    """The nodes that a scene's renders go through, if it has any (a group since 5.0)."""
    if hasattr(scene, "compositing_node_group"):
        return scene.compositing_node_group
    return scene.node_tree if scene.use_nodes else None


def corner_normals(mesh: bpy.types.Mesh) -> NDArray[np.float32]:
    """(corners, 3) normals by which a mesh is shaded; until 4.1 they had to be asked for."""
    normals = np.empty(3 * len(mesh.loops), dtype=np.float32)
    if hasattr(mesh, "corner_normals"):
        mesh.corner_normals.foreach_get("vector", normals)
    else:
        mesh.calc_normals_split()
        mesh.loops.foreach_get("normal", normals)
    return normals.reshape(-1, 3)


def set_corner_normals(mesh: bpy.types.Mesh, normals: NDArray[np.float32]) -> None:
    """Shade a mesh by these normals (corners, 3)."""
    mesh.polygons.foreach_set("use_smooth", np.ones(len(mesh.polygons), dtype=bool))
    if hasattr(mesh, "use_auto_smooth"):
        mesh.use_auto_smooth = True
    mesh.normals_split_custom_set(normals.tolist())


def without_displacement(material: bpy.types.Material) -> None:
    """Have a material's displacement tilt normals and move no surface (a setting of Cycles until 4.1)."""
    holder = material if hasattr(material, "displacement_method") else material.cycles
    holder.displacement_method = "BUMP"


def has_nodes(material: bpy.types.Material) -> bool:
    """Whether a material is made of nodes, as all are since 5.0."""
    return material.node_tree is not None and (bpy.app.version >= (5, 0) or material.use_nodes)
