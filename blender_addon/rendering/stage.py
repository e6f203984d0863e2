"""Blender's stage for drawn scenes: built once, then changed from frame to frame."""

from collections.abc import Collection
from dataclasses import dataclass, field

import bpy
import numpy as np
from numpy.typing import NDArray

from blender_addon.rendering.lights import frame, place_domes, place_panels, set_room
from blender_addon.rendering.material import LABELS, PLACE, SurfaceMaterial, build_body_material, build_surface_material
from blender_addon.rendering.passes import enable_passes
from blender_addon.workers import compat
from procgen.surface.layer import SurfaceMaps
from scenes.datasets.passes import PassName
from scenes.geometry.atlas import Mesh, Part, Texture, texture
from scenes.quantities.scene_model import Vector
from scenes.scene import Camera, Scene

# One sample at the pixel centre: at the default width of 1.5, 6 of 307,200 label pixels came from a neighbour.
EXACT_FILTER_WIDTH = 0.01
PART = "part"  # the one object of the stage
CLIPPING_RANGE = (1e-3, 100.0)  # metres


@dataclass
class Stage:
    """Two Blender scenes over the same objects: `picture` for the eye and `exact` for the labels.

    The exact one has a camera of its own that knows no depth of field, and neither light bounces nor denoiser.
    """

    picture: bpy.types.Scene
    exact: bpy.types.Scene
    surface: SurfaceMaterial
    body: bpy.types.Material
    part: bpy.types.Object | None = None
    shape: object | None = None  # what `part` was built from: the concrete part, and its texels where they matter
    panels: list[bpy.types.Object] = field(default_factory=list)
    domes: list[bpy.types.Object] = field(default_factory=list)

    def show(self, scene: Scene, part: Part, maps: SurfaceMaps) -> None:
        """Bring the stage to what `scene` says; geometry is rebuilt only where the part's shape is another."""
        shape = (scene.part, None if part.is_rectangle else scene.texel_size)
        if self.shape != shape:
            self._place_part(part, texture(part, scene.texel_size))
            self.shape = shape
        self.surface.show(maps)
        turned = lay_along_v(scene.finish.lay_direction, part) if maps.lay is None else None
        self.surface.brush(scene.finish.anisotropy, turned, scene.finish.coat)
        place_panels(self.panels, scene.light.panels, self.picture.collection)
        place_domes(self.domes, scene.light.domes, self.picture.collection)
        set_room(self.picture.world, scene.light)
        for blender_scene in (self.picture, self.exact):
            place_camera(blender_scene, scene.camera, depth_of_field=blender_scene is self.picture)

    def _place_part(self, part: Part, atlas: Texture) -> None:
        if self.part is not None:
            mesh = self.part.data
            bpy.data.objects.remove(self.part)
            bpy.data.meshes.remove(mesh)
        self.part = bpy.data.objects.new(PART, build_mesh(part.mesh, atlas.uvs))
        self.part.pass_index = 1
        self.part.data.materials.append(self.surface.material)
        self.part.data.materials.append(self.body)
        link(self.part, self.picture, self.exact)


def build_stage(samples: int, threads: int = 0, *, passes: Collection[PassName] = (), on_card: bool = False) -> Stage:
    """Empty Blender and set up both scenes: Cycles, `samples` a pixel, `threads` (0: one a core).

    passes: that the exact one shall render beside the labels.
    on_card: renders the picture on a graphics card; labels come from the processor always, whose rounding is known.
    """
    bpy.ops.wm.read_factory_settings(use_empty=True)
    picture = bpy.context.scene
    picture.name = "picture"
    exact = bpy.data.scenes.new("exact")
    picture.world = bpy.data.worlds.new("room")
    if picture.world.node_tree is None:
        picture.world.use_nodes = True
    for scene in (picture, exact):
        scene.render.engine = "CYCLES"
        scene.render.threads_mode = "FIXED" if threads else "AUTO"
        if threads:
            scene.render.threads = threads
        scene.cycles.device = "GPU" if on_card and scene is picture else "CPU"
        scene.cycles.seed = 0
        scene.cycles.use_adaptive_sampling = False
        scene.view_settings.view_transform = "Raw"
        camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
        link(camera, scene)
        scene.camera = camera

    picture.cycles.samples = samples
    picture.cycles.use_denoising = compat.can_denoise()
    # Measured at 612 x 512 and 16 samples: the accurate prefilter costs 6.3 s of processor time, the fast one 1.0 s.
    picture.cycles.denoising_prefilter = "FAST"
    # With a handful of lights the light tree costs a third of the render time and saves no noise.
    compat.without_light_tree(picture.cycles)
    picture.cycles.max_bounces = 3
    picture.cycles.caustics_reflective = picture.cycles.caustics_refractive = False
    compat.write_float_exr(picture.render.image_settings, layers=False)

    settle_exact(exact)
    stage = Stage(picture, exact, build_surface_material(), build_body_material())
    enable_passes(exact, passes)
    return stage


def settle_exact(exact: bpy.types.Scene) -> None:
    """Have a scene render labels at pixel centres: one sample, no bounce, and the passes LABELS and PLACE."""
    exact.cycles.samples = 1
    exact.cycles.use_denoising = False
    exact.cycles.max_bounces = 0
    # The first sample of a box filter lies 0.0005 pixels off the centre, by rounding in Cycles' table; that of this
    # filter lies on it to 0.00001, which is float32 itself.
    exact.cycles.pixel_filter_type = "BLACKMAN_HARRIS"
    exact.cycles.filter_width = EXACT_FILTER_WIDTH
    for name in (LABELS, PLACE):
        exact.view_layers[0].aovs.add().name = name
    compat.write_float_exr(exact.render.image_settings, layers=True)


def build_mesh(source: Mesh, uvs: NDArray[np.float64]) -> bpy.types.Mesh:
    """Make Blender's mesh of a part: positions, faces, texture coordinates (F, 4, 2) and material slots."""
    mesh = bpy.data.meshes.new("part")
    is_corner = source.faces >= 0
    faces = [face if face[3] >= 0 else face[:3] for face in source.faces.tolist()]
    mesh.from_pydata(source.vertices.tolist(), [], faces)
    compat.set_uvs(mesh.uv_layers.new(name="atlas"), uvs[is_corner].astype(np.float32))
    mesh.polygons.foreach_set("material_index", np.asarray(source.materials, dtype=np.int32))
    mesh.update()
    return mesh


def lay_along_v(lay_direction: Vector, part: Part) -> float:
    """Cosine between the machining marks and the direction of growing v, in the middle of the inspected surface."""
    middle = np.array([part.surface.size]) / 2
    bitangent = np.cross(part.surface.normals(middle), part.surface.tangents(middle))[0]
    lay = np.asarray(lay_direction)
    return float(lay @ bitangent / np.linalg.norm(lay))


def place_camera(scene: bpy.types.Scene, camera: Camera, *, depth_of_field: bool) -> None:
    """Set the scene's camera and resolution."""
    aim_camera(scene.camera, camera, depth_of_field=depth_of_field)
    scene.render.resolution_x, scene.render.resolution_y = camera.width, camera.height
    scene.render.resolution_percentage = 100


def aim_camera(thing: bpy.types.Object, camera: Camera, *, depth_of_field: bool) -> None:
    """Set a camera's pose and lens; metres become the millimetres that Blender's lenses are given in."""
    lens = thing.data
    lens.sensor_fit = "HORIZONTAL"
    lens.lens, lens.sensor_width = camera.focal_length * 1e3, camera.sensor_width * 1e3
    lens.type = "PERSP" if camera.field_width is None else "ORTHO"
    if camera.field_width is not None:
        lens.ortho_scale = camera.field_width
    lens.clip_start, lens.clip_end = CLIPPING_RANGE
    lens.dof.use_dof = depth_of_field and camera.aperture_radius > 0
    if lens.dof.use_dof:
        lens.dof.focus_distance = camera.focus_distance
        # Of an orthographic camera, Cycles takes 1 m for the focal length.
        focal_length = camera.focal_length if camera.field_width is None else 1.0
        lens.dof.aperture_fstop = focal_length / (2 * camera.aperture_radius)
    thing.matrix_world = frame(camera.position, x=np.cross(camera.forward, camera.up), z=-np.asarray(camera.forward))


def link(thing: bpy.types.Object, *scenes: bpy.types.Scene) -> None:
    for scene in scenes:
        scene.collection.objects.link(thing)
