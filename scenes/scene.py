"""A drawn scene: every number of one frame, in SI units, with nothing left to chance."""

from collections.abc import Iterator
from typing import Annotated, Literal, get_args

from pydantic import Field

from scenes.camera.light import Light
from scenes.catalogue.registry import SceneFinish, SceneLayer
from scenes.own_scene.record import OwnScene
from scenes.own_scene.variation import Variation
from scenes.parts import Shape
from scenes.quantities.scene_model import NotNegative, Positive, SceneModel, Vector, lacking


class Camera(SceneModel):
    """A thin lens, or a pinhole where the aperture radius is 0; lengths in metres.

    The centre of pixel (i, j), column i from the left and row j from the top, lies on the image plane at
    x = ((i + ½)/width − ½)·sensor_width to the right, y = (½·height − (j + ½))/width·sensor_width up, and
    z = focal_length forward of `position`.

    field_width: what a telecentric lens sees from side to side, at any depth; None for any other. The ray of a pixel of
    a telecentric camera runs along `forward`, from x/sensor_width·field_width to the right and as much up.
    """

    position: Vector
    forward: Vector
    up: Vector
    focal_length: Positive
    sensor_width: Positive
    width: Annotated[int, Field(gt=0)]
    height: Annotated[int, Field(gt=0)]
    aperture_radius: NotNegative = 0.0
    focus_distance: Positive
    field_width: Positive | None = Field(None, exclude_if=lacking)


class LensSpot(SceneModel):
    """A spot of dirt on the lens; see `scenes.camera.optics.dirt_transmission`.

    x, y: its middle from the left and the top, radius: all in widths of the picture. opacity: share of the light that
    it takes in its middle.
    """

    x: float
    y: float
    radius: Positive
    opacity: Annotated[float, Field(ge=0, le=1)]


class Sensor(SceneModel):
    """What `scenes.camera.sensor.develop` does to the light that arrives.

    exposure: fraction of full well per W/m²/sr. vignetting: fraction of light lost in the corners. blur: standard
    deviation of the optics' point spread, pixels. full_well: photo-electrons at saturation, None for a sensor without
    noise. read_noise: electrons, standard deviation. transfer: what the stored numbers are proportional to. bits: per
    stored number.
    column_gain, column_offset: standard deviations of the columns' sensitivities over their mean, and of what they add,
    fractions of full well. row_jitter: of the rows' sideways shifts, pixels. white_balance: kelvin of the light that
    the camera takes for white. negative: dark and bright change places. threshold: fraction of full well above which a
    pixel is white, else black. sharpening: share of the unsharp mask that is added, its radius in pixels. jpeg_quality:
    1 to 100.
    What a camera lacks is not written down, so that frames without it stay the files that they always were.
    """

    exposure: Positive
    vignetting: Annotated[float, Field(ge=0, lt=1)] = 0.0
    blur: NotNegative = 0.0
    full_well: Positive | None = None
    read_noise: NotNegative = 0.0
    transfer: Literal["linear", "srgb"] = "srgb"
    bits: Literal[8, 16] = 8
    monochrome: bool = False
    seed: int = 0
    dirt: tuple[LensSpot, ...] = Field((), exclude_if=lacking)
    column_gain: NotNegative = Field(0.0, exclude_if=lacking)
    column_offset: NotNegative = Field(0.0, exclude_if=lacking)
    row_jitter: NotNegative = Field(0.0, exclude_if=lacking)
    white_balance: Positive | None = Field(None, exclude_if=lacking)
    negative: bool = Field(False, exclude_if=lacking)
    threshold: Annotated[float, Field(gt=0, le=1)] | None = Field(None, exclude_if=lacking)
    sharpening: NotNegative = Field(0.0, exclude_if=lacking)
    sharpening_radius: NotNegative = Field(0.0, exclude_if=lacking)
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] | None = Field(None, exclude_if=lacking)


Side = Literal["front", "back"]
SIDES: tuple[Side, ...] = get_args(Side)


class Scene(SceneModel):
    """One frame's part, finish, layers (bottom first), light, camera and sensor.

    charts: on which chart of the part each layer was placed; none where all are on the main one.
    classes: class name -> bit in the class mask. texel_size: metres, of the surface maps.
    surface: number of the surface that is shown; None where each frame shows another. view: which of its views this is.
    side: of a part that is turned over, the one that is up. lot: of the recipe, that the surface is of; None for none.
    variation, own: how a scene of the user differs from its file, and what is inspected in it, whose layers follow each
    other here; None on Blemish's own stage. Part and light stand for nothing in a scene of the user.
    """

    recipe_name: str
    seed: int
    index: int
    surface: int | None = Field(None, exclude_if=lambda surface: surface is None)
    view: int = Field(0, exclude_if=lambda view: view == 0)
    side: Side = Field("front", exclude_if=lambda side: side == "front")
    lot: str | None = Field(None, exclude_if=lacking)
    part: Shape
    finish: SceneFinish
    layers: tuple[SceneLayer, ...]
    charts: tuple[Annotated[int, Field(ge=0)], ...] = ()
    classes: dict[str, int]
    texel_size: Positive
    light: Light
    camera: Camera
    sensor: Sensor
    variation: Variation | None = Field(None, exclude_if=lambda variation: variation is None)
    own: OwnScene | None = Field(None, exclude_if=lambda own: own is None)

    def placed_layers(self) -> Iterator[tuple[SceneLayer, int]]:
        """Each layer and the number of the chart that it was placed on."""
        return zip(self.layers, self.charts or (0,) * len(self.layers), strict=True)
