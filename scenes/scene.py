"""A drawn scene: every number of one frame, in SI units, with nothing left to chance."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from procgen.cracks import CrackParameters
from procgen.finish import GroundFinish
from procgen.stains import WaterStains

Vector = tuple[float, float, float]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]


class Concrete(BaseModel):
    """Base of everything in a scene: immutable, nothing unknown, nothing infinite, exact through JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Plate(Concrete):
    """See `scenes.parts.plate`; metres."""

    kind: Literal["plate"] = "plate"
    width: Positive
    height: Positive
    thickness: Positive


class ArcSegment(Concrete):
    """See `scenes.parts.arc_segment`; metres."""

    kind: Literal["arc_segment"] = "arc_segment"
    radius: Positive
    width: Positive
    length: Positive
    thickness: Positive


class CrackLayer(Concrete):
    """One crack, to be grown from `start` to `end`, metres on the chart of the inspected surface."""

    kind: Literal["crack"] = "crack"
    parameters: CrackParameters
    reflectance_change: float
    roughness_change: float
    start: tuple[float, float]
    end: tuple[float, float]
    seed: int


class WaterStainLayer(Concrete):
    """A population of water stains."""

    kind: Literal["water_stains"] = "water_stains"
    stains: WaterStains


class AreaPanel(Concrete):
    """A rectangular light.

    position: its centre, metres. direction: unit vector, the way it shines. along: unit vector of its width, across
    which lies its length, both in metres. power: watts.
    """

    position: Vector
    direction: Vector
    along: Vector
    width: Positive
    length: Positive
    power: NotNegative


class Light(Concrete):
    """Panels, and the radiance in W/m²/sr that comes evenly from everywhere else."""

    panels: tuple[AreaPanel, ...]
    ambient: NotNegative


class Camera(Concrete):
    """A thin lens, or a pinhole where the aperture radius is 0; lengths in metres.

    The centre of pixel (i, j), column i from the left and row j from the top, lies on the image plane at
    x = ((i + ½)/width − ½)·sensor_width to the right, y = (½·height − (j + ½))/width·sensor_width up, and
    z = focal_length forward of `position`.
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


class Sensor(Concrete):
    """What `scenes.sensor.develop` does to the light that arrives.

    exposure: fraction of full well per W/m²/sr. vignetting: fraction of light lost in the corners. blur: standard
    deviation of the optics' point spread, pixels. full_well: photo-electrons at saturation, None for a sensor without
    noise. read_noise: electrons, standard deviation. transfer: what the stored numbers are proportional to. bits: per
    stored number.
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


Shape = Annotated[Plate | ArcSegment, Field(discriminator="kind")]
SceneLayer = Annotated[CrackLayer | WaterStainLayer, Field(discriminator="kind")]


class Scene(Concrete):
    """One frame's part, finish, layers (bottom first), light, camera and sensor.

    classes: class name -> bit in the class mask. texel_size: metres, of the surface maps.
    """

    recipe_name: str
    seed: int
    index: int
    part: Shape
    finish: GroundFinish
    layers: tuple[SceneLayer, ...]
    classes: dict[str, int]
    texel_size: Positive
    light: Light
    camera: Camera
    sensor: Sensor
