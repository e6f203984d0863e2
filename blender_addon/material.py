"""The one material that reads surface maps, and writes class bits and instance ids out again as exact values."""

from dataclasses import dataclass
from math import acos, tau

import bpy
import numpy as np
from numpy.typing import NDArray

from blender_addon import compat
from procgen.layer import SurfaceMaps

LABELS = "labels"  # the AOV pass: red = class bit mask, green = defect id, blue = impurity id


@dataclass(frozen=True)
class SurfaceMaterial:
    """A material and the three images behind it.

    albedo: base colour, and roughness in alpha. relief: normal in the part's frame mapped to 0..1, and metallic in
    alpha. labels: class bits, defect ids and impurity ids as whole numbers.
    """

    material: bpy.types.Material
    albedo: bpy.types.ShaderNodeTexImage
    relief: bpy.types.ShaderNodeTexImage
    labels: bpy.types.ShaderNodeTexImage
    shader: bpy.types.ShaderNodeBsdfPrincipled

    def show(self, maps: SurfaceMaps) -> None:
        """Upload maps of shape (rows, columns), row 0 at v = 0 as Blender keeps its pixels."""
        upload(self.albedo, np.dstack([maps.base_colour, maps.roughness]))
        upload(self.relief, np.dstack([maps.normal * 0.5 + 0.5, maps.metallic]))
        upload(self.labels, np.dstack([maps.classes, maps.defects, maps.impurities, np.ones_like(maps.classes)]))

    def brush(self, anisotropy: float, lay_along_v: float) -> None:
        """Stretch highlights across the lay; `lay_along_v` is the cosine between lay and direction of growing v.

        Principled is roughest along its tangent, here the direction of growing u, so a lay along v needs no turning.
        """
        self.shader.inputs["Anisotropic"].default_value = anisotropy
        self.shader.inputs["Anisotropic Rotation"].default_value = acos(min(1.0, abs(lay_along_v))) / tau


def build_surface_material() -> SurfaceMaterial:
    """Make the material of the inspected surface, with empty images."""
    material = new_material("inspected surface")
    tree = material.node_tree
    shader = tree.nodes["Principled BSDF"]
    albedo, relief, labels = (tree.nodes.new("ShaderNodeTexImage") for _ in range(3))
    for node in (albedo, relief, labels):
        node.extension = "EXTEND"
    labels.interpolation = "Closest"

    normal_map = tree.nodes.new("ShaderNodeNormalMap")
    normal_map.space = "OBJECT"
    tangent = tree.nodes.new("ShaderNodeTangent")
    tangent.direction_type = "UV_MAP"
    output = tree.nodes.new("ShaderNodeOutputAOV")
    compat.name_aov_output(output, LABELS)

    tree.links.new(albedo.outputs["Color"], shader.inputs["Base Color"])
    tree.links.new(albedo.outputs["Alpha"], shader.inputs["Roughness"])
    tree.links.new(relief.outputs["Color"], normal_map.inputs["Color"])
    tree.links.new(relief.outputs["Alpha"], shader.inputs["Metallic"])
    tree.links.new(normal_map.outputs["Normal"], shader.inputs["Normal"])
    tree.links.new(tangent.outputs["Tangent"], shader.inputs["Tangent"])
    tree.links.new(labels.outputs["Color"], output.inputs["Color"])
    return SurfaceMaterial(material, albedo, relief, labels, shader)


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


def upload(node: bpy.types.ShaderNodeTexImage, pixels: NDArray[np.floating]) -> None:
    """Put (rows, columns, 4) values into the node's image, which is kept while its size stays the same."""
    rows, columns = pixels.shape[:2]
    image = node.image
    if image is None or tuple(image.size) != (columns, rows):
        if image is not None:
            bpy.data.images.remove(image)
        image = bpy.data.images.new("map", columns, rows, alpha=True, float_buffer=True, is_data=True)
        image.alpha_mode = "CHANNEL_PACKED"
        node.image = image
    image.pixels.foreach_set(np.ascontiguousarray(pixels, dtype=np.float32).ravel())
    image.update()
