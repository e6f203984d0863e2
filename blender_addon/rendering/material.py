"""The one material that reads surface maps, and writes class bits and instance ids out again as exact values."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import acos, tau
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from blender_addon.workers import compat
from procgen.surface.layer import SurfaceMaps

LABELS = "labels"  # an AOV pass: red = class bit mask, green = defect id, blue = impurity id
PLACE = "place"  # another: red = u, green = v, blue = number of the inspected surface, 0 elsewhere
U_DIRECTION, LAY_DIRECTION = "direction of u", "direction of the lay"  # nodes that can give the shader its tangent


@dataclass(frozen=True)
class SurfaceMaterial:
    """A material and the three images behind it.

    albedo: base colour, and roughness in alpha. relief: normal in the part's frame mapped to 0..1, and metallic in
    alpha. labels: class bits, defect ids and impurity ids as whole numbers. lay: direction of the machining marks in
    the part's frame mapped to 0..1, where it turns from place to place.
    """

    material: bpy.types.Material
    albedo: bpy.types.ShaderNodeTexImage
    relief: bpy.types.ShaderNodeTexImage
    labels: bpy.types.ShaderNodeTexImage
    lay: bpy.types.ShaderNodeTexImage
    shader: bpy.types.ShaderNodeBsdfPrincipled

    def show(self, maps: SurfaceMaps, *, labels: bool = True) -> None:
        """Upload maps of shape (rows, columns), row 0 at v = 0 as Blender keeps its pixels; what labels say on wish."""
        upload(self.albedo, np.dstack([maps.base_colour, maps.roughness]))
        upload(self.relief, np.dstack([maps.normal * 0.5 + 0.5, maps.metallic]))
        if labels:
            self.show_labels(np.dstack([maps.classes, maps.defects, maps.impurities]))
        if maps.lay is not None:
            upload(self.lay, np.dstack([maps.lay * 0.5 + 0.5, np.ones_like(maps.metallic)]))
        self._stretch_across(U_DIRECTION if maps.lay is None else LAY_DIRECTION)

    def show_labels(self, labels: NDArray[np.uint16]) -> None:
        """Upload (rows, columns, 3) class bits, defect ids and impurity ids."""
        upload(self.labels, np.dstack([labels, np.ones_like(labels[..., 0])]))

    def brush(self, anisotropy: float, lay_along_v: float | None, coat: float) -> None:
        """Stretch highlights across the lay, under a clear coat of that weight.

        lay_along_v: cosine between lay and direction of growing v; None where the maps say the lay of every point.
        Principled is roughest along its tangent. That is the direction of growing u, so a lay along v needs no turning,
        or else the lay itself, which needs a quarter of a turn.
        """
        turns = 0.25 if lay_along_v is None else acos(min(1.0, abs(lay_along_v))) / tau
        self.shader.inputs["Anisotropic"].default_value = anisotropy
        self.shader.inputs["Anisotropic Rotation"].default_value = turns
        compat.set_coat(self.shader, coat)

    def _stretch_across(self, tangent: str) -> None:
        """Take the shader's tangent from the node of this name."""
        tree = self.material.node_tree
        socket = tree.nodes[tangent].outputs[0]
        if self.shader.inputs["Tangent"].links[0].from_socket != socket:
            tree.links.new(socket, self.shader.inputs["Tangent"])


def build_surface_material(atlas: str = "", number: int = 1) -> SurfaceMaterial:
    """Make the material of the inspected surface, with empty images.

    atlas: the layer of texture coordinates that it reads; by default the one that the mesh renders with. number: what
    it writes into blue of PLACE.
    """
    material = new_material("inspected surface")
    tree = material.node_tree
    shader = tree.nodes["Principled BSDF"]
    shader.distribution = "MULTI_GGX"  # without loss on rough metal; what a new node has since 4.0
    albedo, relief, labels, lay = (tree.nodes.new("ShaderNodeTexImage") for _ in range(4))
    for node in (albedo, relief, labels, lay):
        node.extension = "EXTEND"
    labels.interpolation = "Closest"

    normal_map = tree.nodes.new("ShaderNodeNormalMap")
    normal_map.space = "OBJECT"
    tangent = tree.nodes.new("ShaderNodeTangent")
    tangent.direction_type = "UV_MAP"
    tangent.name = U_DIRECTION
    signed = tree.nodes.new("ShaderNodeVectorMath")
    signed.operation = "MULTIPLY_ADD"
    signed.inputs[1].default_value, signed.inputs[2].default_value = (2.0, 2.0, 2.0), (-1.0, -1.0, -1.0)
    into_world = tree.nodes.new("ShaderNodeVectorTransform")
    into_world.name, into_world.vector_type = LAY_DIRECTION, "VECTOR"
    into_world.convert_from, into_world.convert_to = "OBJECT", "WORLD"
    coordinates = tree.nodes.new("ShaderNodeUVMap")
    coordinates.uv_map = tangent.uv_map = atlas
    place = tree.nodes.new("ShaderNodeVectorMath")
    place.operation = "ADD"
    place.inputs[1].default_value = (0.0, 0.0, float(number))

    tree.links.new(albedo.outputs["Color"], shader.inputs["Base Color"])
    tree.links.new(albedo.outputs["Alpha"], shader.inputs["Roughness"])
    tree.links.new(relief.outputs["Color"], normal_map.inputs["Color"])
    tree.links.new(relief.outputs["Alpha"], shader.inputs["Metallic"])
    tree.links.new(normal_map.outputs["Normal"], shader.inputs["Normal"])
    compat.add_coat(shader, normal_map.outputs["Normal"])
    tree.links.new(lay.outputs["Color"], signed.inputs[0])
    tree.links.new(signed.outputs[0], into_world.inputs[0])
    for node in (albedo, relief, labels, lay) if atlas else ():
        tree.links.new(coordinates.outputs["UV"], node.inputs["Vector"])
    tree.links.new(tangent.outputs["Tangent"], shader.inputs["Tangent"])
    tree.links.new(coordinates.outputs["UV"], place.inputs[0])
    write_out(tree, {LABELS: labels.outputs["Color"], PLACE: place.outputs["Vector"]})
    return SurfaceMaterial(material, albedo, relief, labels, lay, shader)


def write_out(tree: bpy.types.NodeTree, values: Mapping[str, bpy.types.NodeSocket]) -> None:
    """Have a material write values into passes by their names, where it is the first surface that a ray meets.

    Cycles adds what it meets behind a transparent surface, through which it goes or not, by chance.
    """
    path, first = tree.nodes.new("ShaderNodeLightPath"), tree.nodes.new("ShaderNodeMath")
    first.operation = "LESS_THAN"
    first.inputs[1].default_value = 0.5
    tree.links.new(path.outputs["Transparent Depth"], first.inputs[0])
    for name, value in values.items():
        written, output = tree.nodes.new("ShaderNodeVectorMath"), tree.nodes.new("ShaderNodeOutputAOV")
        written.operation = "MULTIPLY"
        compat.name_aov_output(output, name)
        tree.links.new(value, written.inputs[0])
        tree.links.new(first.outputs["Value"], written.inputs[1])
        tree.links.new(written.outputs["Vector"], output.inputs["Color"])


def build_body_material() -> bpy.types.Material:
    """Make the material of faces that are not inspected: plain, dark, and without labels."""
    material = new_material("body")
    shader = material.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (0.05, 0.05, 0.05, 1.0)
    shader.inputs["Roughness"].default_value = 0.6
    return material


def new_material(name: str) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    if material.node_tree is None:  # before 5.0 a material has no nodes until asked
        material.use_nodes = True
    return material


def upload(node: bpy.types.ShaderNodeTexImage, pixels: NDArray[np.floating[Any]]) -> None:
    """Put (rows, columns, 4) values into the node's image; see `filled`."""
    image = filled(node.image, "map", pixels)
    if node.image != image:
        node.image = image


def filled(image: bpy.types.Image | None, name: str, pixels: NDArray[Any]) -> bpy.types.Image:
    """The image with (rows, columns, 4) values in it, row 0 at v = 0; another where there is none of that size."""
    rows, columns = pixels.shape[:2]
    if image is not None and tuple(image.size) != (columns, rows):
        bpy.data.images.remove(image)
        image = None
    if image is None:
        image = bpy.data.images.new(name, columns, rows, alpha=True, float_buffer=True, is_data=True)
        image.alpha_mode = "CHANNEL_PACKED"
    image.pixels.foreach_set(np.ascontiguousarray(pixels, dtype=np.float32).ravel())
    image.update()
    return image
