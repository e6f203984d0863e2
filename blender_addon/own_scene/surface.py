"""What an inspected object's surface shows: layers over its own materials, or Blemish's finish where it has none."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import bpy
import numpy as np
from numpy.typing import NDArray

from blender_addon.errors import RenderError
from blender_addon.own_scene.geometry import ATLAS, Body
from blender_addon.own_scene.mixing import OverlayImages, mixed
from blender_addon.rendering.material import SurfaceMaterial, build_surface_material
from blender_addon.rendering.stage import lay_along_v
from procgen.errors import BlemishError
from procgen.surface.layer import MOST_INSTANCES, Instance, SurfaceMaps, SurfaceOverlay, compose, overlay
from scenes.geometry.atlas import Texture
from scenes.recipes.in_scene import DrawnObject

Labels = NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class ObjectSurface:
    """The materials of one inspected object, as far as it has them.

    own: what its mixed materials read. finish: the material of Blemish's finish.
    """

    own: OverlayImages | None
    finish: SurfaceMaterial | None

    @property
    def shows_finish(self) -> bool:
        return self.finish is not None

    def show(
        self,
        body: Body,
        drawn: DrawnObject,
        texel_size: float,
        unit: float,
        class_bits: Mapping[str, int],
        before: list[Instance],
    ) -> tuple[Labels, list[Instance]]:
        """Show what lies on the object; gives (rows, columns, 3) class bits, defect and impurity ids, and instances.

        unit: metres of a unit of the scene. before: instances of other objects, whose numbers are taken.
        """
        texture = body.texture(texel_size)
        charts = body.part.charts
        layers = [layer.to_layer(charts[chart]) for layer, chart in zip(drawn.layers, drawn.charts, strict=True)]
        found: SurfaceMaps | SurfaceOverlay | None = None
        if self.own is not None:
            found = pasted(texture, overlay(texture.points, layers, class_bits))
            self.own.show(found, unit)
        if self.finish is not None:
            found = texture.pasted(compose(texture.points, drawn.finish, layers, class_bits))
            self._show_finish(self.finish, body, drawn, found)
        assert found is not None
        ids, instances = numbered_after(before, found)
        labels = np.dstack([found.classes, *ids])
        if self.own is not None:
            self.own.show_labels(labels)
        if self.finish is not None:
            self.finish.show_labels(labels)
        return labels, instances

    def _show_finish(self, material: SurfaceMaterial, body: Body, drawn: DrawnObject, maps: SurfaceMaps) -> None:
        """Show the maps, whose vectors are in the part's frame, on a material that takes them in the object's."""
        normal = maps.normal @ body.to_part
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        lay = maps.lay
        if lay is not None:
            lay = lay @ np.linalg.inv(body.to_part).T
            lay = lay / np.maximum(np.linalg.norm(lay, axis=-1, keepdims=True), np.finfo(np.float32).tiny)
        material.show(replace(maps, normal=normal, lay=lay), labels=False)
        turned = lay_along_v(drawn.finish.lay_direction, body.part) if maps.lay is None else None
        material.brush(drawn.finish.anisotropy, turned, drawn.finish.coat)


def pasted(texture: Texture, flat: SurfaceOverlay) -> SurfaceOverlay:
    """The overlay of a texture from that of its points; between the charts nothing changes."""
    return SurfaceOverlay(
        kept=texture.scattered(flat.kept, 1.0),
        height=texture.scattered(flat.height),
        reflectance=texture.scattered(flat.reflectance),
        roughness=texture.scattered(flat.roughness),
        metallic=texture.scattered(flat.metallic),
        classes=texture.scattered(flat.classes),
        defects=texture.scattered(flat.defects),
        impurities=texture.scattered(flat.impurities),
        instances=flat.instances,
    )


def numbered_after(
    before: list[Instance], maps: SurfaceMaps | SurfaceOverlay
) -> tuple[tuple[Labels, Labels], list[Instance]]:
    """Maps of defects and impurities, and their instances, with the numbers that follow those before of a family.

    Raises BlemishError where a 16-bit map cannot hold them.
    """
    taken = {family: sum(1 for one in before if one.family == family) for family in ("defect", "impurity")}
    instances = [replace(one, id=one.id + taken[one.family]) for one in maps.instances]
    if any(one.id > MOST_INSTANCES for one in instances):
        raise BlemishError(
            f"the frame carries more than {MOST_INSTANCES} instances of a family, the most that a 16-bit map can "
            "number; lower the density, or inspect fewer objects"
        )
    defects, impurities = (
        np.where(ids > 0, ids + np.uint16(taken[family]), 0).astype(np.uint16)
        for family, ids in (("defect", maps.defects), ("impurity", maps.impurities))
    )
    return (defects, impurities), instances


def dressed(name: str, mesh: bpy.types.Mesh, number: int, surface: str) -> ObjectSurface:
    """Give a mesh materials that show layers: copies of its own, or Blemish's finish where it has none or is to.

    number: of the object, which the materials tell. Raises RenderError for a material that cannot show them.
    """
    images = OverlayImages()
    finish: SurfaceMaterial | None = None
    copies: dict[bpy.types.Material, bpy.types.Material] = {}
    if not mesh.materials:
        mesh.materials.append(None)
    for slot, material in enumerate(list(mesh.materials)):
        if surface == "finish" or material is None:
            finish = finish or build_surface_material(ATLAS, number)
            mesh.materials[slot] = finish.material
            continue
        if material not in copies:
            copy = mixed(material, images, number)
            if copy is None:
                raise RenderError(
                    f"object {name}: found the material {material.name} without a shader that has a colour, which "
                    "layers could change; expected one as Principled BSDF has, or surface: finish in the recipe's scene"
                )
            copies[material] = copy
        mesh.materials[slot] = copies[material]
    return ObjectSurface(images if copies else None, finish)
