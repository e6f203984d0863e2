"""Layers mixed into the user's own material: a copy of it that shows them where they are, and itself elsewhere.

Each shader stands beside a copy that the layers change, and a mask says which of the two is seen. Cycles leaves out
what a shader that is not seen would read, so that a surface costs hardly more than its own where nothing lies on it.
"""

from dataclasses import dataclass, field
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from blender_addon.own_scene.geometry import ATLAS
from blender_addon.rendering.material import LABELS, PLACE, filled, write_out
from blender_addon.workers import compat
from procgen.surface.layer import SurfaceOverlay

# What hides the surface below hides also what it lets through, gives off and is covered with.
COVERED = (
    "Transmission Weight", "Transmission", "Subsurface Weight", "Subsurface", "Coat Weight", "Clearcoat",
    "Sheen Weight", "Sheen", "Emission Strength",
)  # fmt: skip
# Of each normal the weight of what it turns: bumps are looked up three times, and a coat that is not there needs none.
NORMALS = {"Normal": "", "Coat Normal": "Coat Weight", "Clearcoat Normal": "Clearcoat"}
COLOURS = ("Base Color", "Color")
WITHOUT_ROUGHNESS = ("ShaderNodeBsdfDiffuse",)  # whose roughness is another thing
REACH = 4  # texels around a layer that count as it: what interpolation and slopes beside it see
NO_SURFACE = ("ShaderNodeVolumePrincipled", "ShaderNodeVolumeAbsorption", "ShaderNodeVolumeScatter",
              "ShaderNodeVolumeCoefficients", "ShaderNodeBackground", "ShaderNodeHoldout")  # fmt: skip


@dataclass
class MapImage:
    """An image of four channels, shown by any number of nodes."""

    name: str
    nodes: list[bpy.types.ShaderNodeTexImage] = field(default_factory=list)
    image: bpy.types.Image | None = None

    def show(self, pixels: NDArray[Any]) -> None:
        """Upload (rows, columns, 4), row 0 at v = 0."""
        before = self.image
        self.image = filled(before, self.name, pixels)
        if self.image is not before:
            for node in self.nodes:
                node.image = self.image


@dataclass
class OverlayImages:
    """What the mixed materials of one object read: where layers are; change of colour, and what is kept of it; height
    and changes of roughness and metallic; labels."""

    where: MapImage = field(default_factory=lambda: MapImage("layers"))
    colour: MapImage = field(default_factory=lambda: MapImage("colour"))
    relief: MapImage = field(default_factory=lambda: MapImage("relief"))
    labels: MapImage = field(default_factory=lambda: MapImage("labels"))

    def show(self, overlay: SurfaceOverlay, unit: float) -> None:
        """Upload maps (rows, columns). unit: metres of a unit of the scene."""
        self.colour.show(np.dstack([overlay.reflectance, overlay.kept]))
        ones = np.ones_like(overlay.kept)
        changed = (overlay.kept != 1) | (overlay.height != 0) | (overlay.roughness != 0) | (overlay.metallic != 0)
        changed |= (overlay.reflectance != 0).any(axis=-1)
        self.where.show(np.dstack([ndimage.maximum_filter(changed, 2 * REACH + 1)] * 4))
        self.relief.show(np.dstack([overlay.height / unit, overlay.roughness, overlay.metallic, ones]))

    def show_labels(self, labels: NDArray[np.uint16]) -> None:
        """Upload (rows, columns, 3) class bits, defect and impurity ids."""
        self.labels.show(np.dstack([labels, np.ones_like(labels[..., 0])]))


def mixed(material: bpy.types.Material, images: OverlayImages, number: int) -> bpy.types.Material | None:
    """A copy of a material whose shaders show the layers, and which tells labels and place of the object `number`.

    None where it has no shader of a surface that could show them.
    """
    own = material.copy()
    if not compat.has_nodes(own):
        _with_nodes(own)
    compat.without_displacement(own)
    if not _mix(own.node_tree, images):
        bpy.data.materials.remove(own)
        return None
    tell(own.node_tree, images.labels, number)
    return own


def tell(tree: bpy.types.NodeTree, labels: MapImage, number: int) -> None:
    """Have a material write its labels and, beside the place on the atlas, the object's number."""
    uv = tree.nodes.new("ShaderNodeUVMap")
    uv.uv_map = ATLAS
    place = tree.nodes.new("ShaderNodeVectorMath")
    place.operation = "ADD"
    place.inputs[1].default_value = (0.0, 0.0, float(number))
    tree.links.new(uv.outputs["UV"], place.inputs[0])
    read = _image(tree, labels, uv.outputs["UV"], "Closest")
    write_out(tree, {LABELS: read.outputs["Color"], PLACE: place.outputs["Vector"]})


def _with_nodes(material: bpy.types.Material) -> None:
    """Give a material without nodes those that look as it does."""
    colour, roughness, metallic = material.diffuse_color[:], material.roughness, material.metallic
    material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.bl_idname == "ShaderNodeBsdfPrincipled")
    shader.inputs["Base Color"].default_value = colour
    shader.inputs["Roughness"].default_value = roughness
    shader.inputs["Metallic"].default_value = metallic


def _mix(tree: bpy.types.NodeTree, images: OverlayImages) -> int:
    """Mix the layers into every shader of a tree and of the groups in it, which become its own; gives how many."""
    shaders, groups = [], []
    for node in tree.nodes:
        if any(output.type == "SHADER" for output in node.outputs) and any(name in node.inputs for name in COLOURS):
            shaders.append(node)
        elif getattr(node, "node_tree", None):
            groups.append(node)
    shaders = [node for node in shaders if node.bl_idname not in NO_SURFACE]
    count = len(shaders)
    if shaders:
        mixer = _Mixer.on(tree, images)
        for shader in shaders:
            mixer.mix(mixer.beside(shader))
    for group in groups:
        group.node_tree = group.node_tree.copy()
        count += _mix(group.node_tree, images)
    return count


@dataclass
class _Mixer:
    """The sockets of one tree that bring the layers in."""

    tree: bpy.types.NodeTree
    where: bpy.types.NodeSocket
    change: bpy.types.NodeSocket
    kept: bpy.types.NodeSocket
    height: bpy.types.NodeSocket
    roughness: bpy.types.NodeSocket
    metallic: bpy.types.NodeSocket

    @classmethod
    def on(cls, tree: bpy.types.NodeTree, images: OverlayImages) -> "_Mixer":
        uv = tree.nodes.new("ShaderNodeUVMap")
        uv.uv_map = ATLAS
        colour, relief = (_image(tree, image, uv.outputs["UV"], "Linear") for image in (images.colour, images.relief))
        where = _image(tree, images.where, uv.outputs["UV"], "Closest")
        parts = tree.nodes.new("ShaderNodeSeparateXYZ")
        tree.links.new(relief.outputs["Color"], parts.inputs[0])
        height, roughness, metallic = parts.outputs
        return cls(
            tree, where.outputs["Alpha"], colour.outputs["Color"], colour.outputs["Alpha"], height, roughness, metallic
        )

    def beside(self, shader: bpy.types.ShaderNode) -> bpy.types.ShaderNode:
        """A copy of a shader that is seen in its place where layers are."""
        copy = self.tree.nodes.new(shader.bl_idname)
        for described in shader.bl_rna.properties:
            if described.identifier not in bpy.types.Node.bl_rna.properties and not described.is_readonly:
                setattr(copy, described.identifier, getattr(shader, described.identifier))
        for one, other in zip(shader.inputs, copy.inputs, strict=True):
            if hasattr(one, "default_value"):
                other.default_value = one.default_value
            for link in one.links:
                self.tree.links.new(link.from_socket, other)
        seen = self.tree.nodes.new("ShaderNodeMixShader")
        for link in list(shader.outputs[0].links):
            self.tree.links.new(seen.outputs[0], link.to_socket)
        for socket, given in zip(seen.inputs, (self.where, shader.outputs[0], copy.outputs[0]), strict=True):
            self.tree.links.new(given, socket)
        return copy

    def mix(self, shader: bpy.types.ShaderNode) -> None:
        """Mix the layers into what a shader is given."""
        for name in COLOURS:
            if name in shader.inputs:
                self._colour(shader.inputs[name])
        if "Roughness" in shader.inputs and shader.bl_idname not in WITHOUT_ROUGHNESS:
            self._number(shader.inputs["Roughness"], self.roughness)
        if "Metallic" in shader.inputs:
            self._number(shader.inputs["Metallic"], self.metallic)
        for name, weight in NORMALS.items():
            if name in shader.inputs and (weight not in shader.inputs or _may_be_set(shader.inputs[weight])):
                self._normal(shader.inputs[name])
        if shader.bl_idname == "ShaderNodeBsdfPrincipled":
            for name in COVERED:
                if name in shader.inputs and _may_be_set(shader.inputs[name]):
                    self._covered(shader.inputs[name])

    def _colour(self, socket: bpy.types.NodeSocket) -> None:
        mix = self._vector("MULTIPLY_ADD")
        self._take_over(socket, mix.inputs[0])
        self.tree.links.new(self.kept, mix.inputs[1])
        self.tree.links.new(self.change, mix.inputs[2])
        least, most = self._vector("MAXIMUM"), self._vector("MINIMUM")
        least.inputs[1].default_value, most.inputs[1].default_value = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        self.tree.links.new(mix.outputs[0], least.inputs[0])
        self.tree.links.new(least.outputs[0], most.inputs[0])
        self.tree.links.new(most.outputs[0], socket)

    def _number(self, socket: bpy.types.NodeSocket, change: bpy.types.NodeSocket) -> None:
        mix = self.tree.nodes.new("ShaderNodeMath")
        mix.operation, mix.use_clamp = "MULTIPLY_ADD", True
        self._take_over(socket, mix.inputs[0])
        self.tree.links.new(self.kept, mix.inputs[1])
        self.tree.links.new(change, mix.inputs[2])
        self.tree.links.new(mix.outputs[0], socket)

    def _covered(self, socket: bpy.types.NodeSocket) -> None:
        mix = self.tree.nodes.new("ShaderNodeMath")
        mix.operation = "MULTIPLY"
        self._take_over(socket, mix.inputs[0])
        self.tree.links.new(self.kept, mix.inputs[1])
        self.tree.links.new(mix.outputs[0], socket)

    def _normal(self, socket: bpy.types.NodeSocket) -> None:
        bump = self.tree.nodes.new("ShaderNodeBump")
        bump.inputs["Strength"].default_value = bump.inputs["Distance"].default_value = 1.0
        self.tree.links.new(self.height, bump.inputs["Height"])
        if socket.is_linked:
            self.tree.links.new(socket.links[0].from_socket, bump.inputs["Normal"])
        self.tree.links.new(bump.outputs["Normal"], socket)

    def _take_over(self, socket: bpy.types.NodeSocket, by: bpy.types.NodeSocket) -> None:
        """Give another socket what this one is given."""
        if socket.is_linked:
            self.tree.links.new(socket.links[0].from_socket, by)
        elif socket.type == "RGBA":
            by.default_value = socket.default_value[:3]
        else:
            by.default_value = socket.default_value

    def _vector(self, operation: str) -> bpy.types.ShaderNodeVectorMath:
        node = self.tree.nodes.new("ShaderNodeVectorMath")
        node.operation = operation
        return node


def _may_be_set(socket: bpy.types.NodeSocket) -> bool:
    return bool(socket.is_linked or socket.default_value)


def _image(
    tree: bpy.types.NodeTree, image: MapImage, uv: bpy.types.NodeSocket, interpolation: str
) -> bpy.types.ShaderNodeTexImage:
    node = tree.nodes.new("ShaderNodeTexImage")
    node.extension, node.interpolation = "EXTEND", interpolation
    node.image = image.image
    tree.links.new(uv, node.inputs["Vector"])
    image.nodes.append(node)
    return node
