"""Frames of a dataset in the user's own scene: opened once, then changed, rendered and labelled frame by frame."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import bpy
import numpy as np
from numpy.typing import NDArray

from blender_addon.own_scene.cameras import View, record_of, view_of
from blender_addon.own_scene.finding import everything_shown, inspected, is_hidden, made_real
from blender_addon.own_scene.geometry import Body, body_of
from blender_addon.own_scene.labels import Marked, exact_copy, labels_of, look_through, numbers_in
from blender_addon.own_scene.opening import open_scene, settle
from blender_addon.own_scene.picture import Picture, render_developed, render_linear
from blender_addon.own_scene.surface import ObjectSurface, dressed
from blender_addon.own_scene.variation import Original, contents_of
from blender_addon.rendering.passes import Channels, enable_passes, passes_in, picture_in, render
from blender_addon.workers import devices
from blender_addon.workers.job import Job
from procgen.surface.layer import Instance
from scenes import Recipe, develop
from scenes.datasets.frame_files import FrameFiles, frame_files
from scenes.datasets.passes import PassName, PassPictures
from scenes.geometry.atlas import Part
from scenes.own_scene.contents import Contents, views
from scenes.own_scene.drawing import draw_variation
from scenes.own_scene.record import InspectedObject, OwnScene
from scenes.own_scene.section import OwnSceneRecipe
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.units import UM
from scenes.recipes.in_scene import DrawnObject, check_entries, draw_object, scene_of
from scenes.recipes.recipe import TEXELS_PER_PIXEL
from scenes.scene import Scene

Floats = NDArray[np.float64]

OBJECTS: PassName = "objects"

MOST_TEXELS = 4_000_000  # of one object where its recipe names no texel size; they take about a gigabyte
STEPS_OF_TEXELS = 2  # sizes of texels to a factor of two, so that frames that differ little share textures


@dataclass(frozen=True, eq=False)
class PartInView(Part):
    """A part of which layers are drawn on what cameras see: seen, (charts,), of each the area they face."""

    seen: Floats = field(default_factory=lambda: np.zeros(0))

    def chart_areas(self) -> Floats:
        return self.seen


@dataclass(frozen=True, eq=False)
class Inspected:
    """An object that is inspected: itself, its geometry, and the images that its materials show."""

    name: str
    thing: bpy.types.Object
    body: Body
    surface: ObjectSurface

    @property
    def pose(self) -> Floats:
        """(4, 4) from its own frame to the world's, in units of the scene."""
        return np.array(self.thing.matrix_world, dtype=np.float64)

    def in_view(self, cameras: list[View]) -> PartInView:
        """The part, knowing which of its charts the cameras see best; all alike where they see none."""
        mesh, part = self.body.world(self.pose), self.body.part
        corners = mesh.vertices[mesh.faces[:, :3]]
        across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        twice = np.linalg.norm(across, axis=1)
        middles, normals = corners.mean(axis=1), across / twice[:, np.newaxis]
        faced = sum(
            np.where(view.frames(middles), np.maximum(view.cosines(middles, normals), 0.0), 0.0) for view in cameras
        )
        weights = twice * faced if np.any(faced) else twice
        seen = np.bincount(mesh.charts, weights, minlength=len(part.charts)).astype(np.float64)
        return PartInView(part.mesh, part.charts, part.coating, seen)

    def texel_size(self, cameras: list[View], unit: float) -> float:
        """Metres of a texel, of which the nearest pixel on it takes two; a little less, by fixed steps."""
        vertices = self.body.world(self.pose).vertices
        area = sum(width * height for width, height in (chart.size for chart in self.body.part.charts))
        finest = math.inf
        for view in cameras:
            depth = view.depths(vertices[view.frames(vertices)])
            near = float(depth.min()) if len(depth) else float(np.abs(view.depths(vertices)).min())
            finest = min(finest, view.pixel(max(near, 1e-6)) * unit / TEXELS_PER_PIXEL)
        wanted = math.floor(STEPS_OF_TEXELS * math.log2(finest))
        coarsest = math.ceil(STEPS_OF_TEXELS * math.log2(math.sqrt(area / MOST_TEXELS)))
        return float(2.0 ** (max(wanted, coarsest) / STEPS_OF_TEXELS))


class OwnSceneStage:
    """The user's scene, opened for one job: gives the files of any frame, which depend on its number alone.

    Raises RenderError, BlemishError where the file and the recipe do not go together.
    """

    def __init__(self, job: Job) -> None:
        self.recipe = Recipe.model_validate_json(job.recipe)
        assert self.recipe.scene is not None
        self.section: OwnSceneRecipe = self.recipe.scene
        self.job = job
        self.scene, self.layer = open_scene(job.blend, job.digest)
        self.unit = self.scene.unit_settings.scale_length
        settle(self.scene, job.samples, job.threads, on_card=job.device != devices.CPU)
        shown = everything_shown()
        things = made_real(self.scene, shown, inspected(shown, self.section.inspect, job.blend))
        self.layer.update()
        self.contents: Contents = contents_of(self.scene, tuple(things))
        self.cameras = [self.scene.objects[name] for name in views(self.section, self.contents)]
        self.objects = [
            self._inspected(name, number, thing) for number, (name, thing) in enumerate(things.items(), start=1)
        ]
        check_entries(self.recipe, {one.name: one.body.part for one in self.objects})
        self.original = Original(self.scene, self.section, self.contents)
        self.exact = exact_copy(self.scene, self.layer)
        enable_passes(self.exact, self._of_blender)

    def _inspected(self, name: str, number: int, thing: bpy.types.Object) -> Inspected:
        body = body_of(name, thing.data, np.array(thing.matrix_world, dtype=np.float64), self.unit)
        return Inspected(name, thing, body, dressed(name, thing.data, number, self.section.surface))

    def frame(self, index: int) -> FrameFiles:
        """The files of one frame."""
        surface, view_number = divmod(index, len(self.cameras))
        drawn = draw_variation(self.section, self.contents, RandomStream(self.job.seed, surface).at("scene"))
        variation = self.original.vary(drawn)
        self.layer.update()
        cameras = [view_of(camera, self.scene) for camera in self.cameras]
        view, camera = cameras[view_number], self.cameras[view_number]
        objects: dict[str, DrawnObject] = {}
        marked: list[Marked | None] = []
        records: list[InspectedObject] = []
        instances: list[Instance] = []
        for one in self.objects:
            objects[one.name], shown, record = self._laid(one, surface, cameras, instances)
            marked.append(shown)
            records.append(record)
        self.scene.camera = camera
        look_through(self.exact, camera)
        own = OwnScene(camera=camera.name, objects=tuple(records))
        scene = scene_of(
            self.recipe,
            self.job.seed,
            index,
            len(self.cameras),
            record_of(camera, view, self.unit),
            variation,
            own,
            objects,
        )
        with ThreadPoolExecutor(1) as beside:
            picture = self._picture(scene, beside)
            channels = render(self.exact)  # while the sensor's picture is developed
            labels = labels_of(channels, view, marked)
        masks = (labels[..., 0], labels[..., 1], labels[..., 2])
        return frame_files(self.recipe, picture(), *masks, scene, instances, passes=self._passes(channels))

    def _picture(self, scene: Scene, beside: ThreadPoolExecutor) -> Callable[[], Picture]:
        """Render the picture; gives what gives it once it is developed."""
        if self.section.picture == "blender":
            picture = render_developed(self.scene, scene.sensor.bits)
            return lambda: picture
        return beside.submit(develop, picture_in(render_linear(self.scene)), scene.sensor).result

    @property
    def _of_blender(self) -> list[PassName]:
        """The passes that are Blender's own; the object index is not, for the user's materials may show theirs."""
        return [name for name in self.job.passes if name != OBJECTS]

    def _passes(self, channels: Channels) -> PassPictures | None:
        """The passes that frames have, depth in metres."""
        if not self.job.passes:
            return None
        arrays = passes_in(channels, self._of_blender, self.exact.camera)
        if "depth" in arrays:
            arrays["depth"] = arrays["depth"] * np.float32(self.unit)
        if OBJECTS in self.job.passes:
            arrays[OBJECTS] = numbers_in(channels)
        return PassPictures(arrays, self.job.passes, tuple(one.name for one in self.objects))

    def _laid(
        self, one: Inspected, surface: int, cameras: list[View], instances: list[Instance]
    ) -> tuple[DrawnObject, Marked | None, InspectedObject]:
        """What lies on an object, shown by its materials; `instances` are those of the objects before, and get its."""
        texel = self.recipe.texel_um
        texel_size = one.texel_size(cameras, self.unit) if texel is None else UM * texel
        drawn = draw_object(self.recipe, self.job.seed, surface, one.name, one.in_view(cameras))
        marked = None
        if is_hidden(one.thing, self.scene):
            drawn = replace(drawn, layers=(), charts=())
        else:
            maps, found = one.surface.show(one.body, drawn, texel_size, self.unit, self.recipe.class_bits, instances)
            one.body.write_uvs(one.thing.data, texel_size)
            instances += found
            mesh, uvs = one.body.world(one.pose), one.body.texture(texel_size).uvs
            marked = Marked(maps, mesh, uvs, texel_size / self.unit)
        record = InspectedObject(
            name=one.name,
            layers=len(drawn.layers),
            finish=drawn.finish if one.surface.shows_finish else None,
            texel_size=texel_size,
            pose=one.body.part_to_world(one.pose, self.unit)[:3].tolist(),
        )
        return drawn, marked, record
