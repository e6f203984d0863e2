"""How a frame's scene differs from the user's file: every number of it, with nothing left to chance."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from scenes.quantities.scene_model import NotNegative, SceneModel, Vector

Quaternion = tuple[float, float, float, float]  # w, x, y, z, of length 1


class PictureFile(SceneModel):
    """A picture of one of the recipe's folders: its plain name there, and its SHA-256."""

    name: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Moved(SceneModel):
    """An object moved from where it stood: shifted by metres, turned about X, then Y, then Z by radians.

    axes: which axes, through its origin.
    """

    name: str
    axes: Literal["world", "own"]
    shift: Vector
    turn: Vector


class Pose(SceneModel):
    """Where an object lies: its origin in the world, metres, and the rotation of its own axes."""

    position: Vector
    rotation: Quaternion


class Dropped(SceneModel):
    """An object that is dropped, and where it came to rest.

    across: where it starts, as shares of half the free extent, -1 to 1, along X and Y. rotation: at the start; None for
    the file's own. rest: None until it was simulated, and for one that fell off, which is not shown.
    """

    name: str
    across: tuple[float, float]
    rotation: Quaternion | None
    rest: Pose | None = None


class Drop(SceneModel):
    """Objects dropped onto others.

    over: those of `onto` over whose extent they start. spread: share of that; height: metres. settled: whether it was
    simulated.
    """

    onto: tuple[str, ...]
    over: tuple[str, ...]
    things: tuple[Dropped, ...]
    spread: NotNegative
    height: NotNegative
    shape: Literal["hull", "mesh"]
    friction: NotNegative
    bounce: NotNegative
    settled: bool = False


class VariedLight(SceneModel):
    """A light: factor on its strength, linear colour that filters it, turn about the upright axis in radians."""

    name: str
    strength: NotNegative
    tint: tuple[NotNegative, NotNegative, NotNegative]
    turn: float


class VariedWorld(SceneModel):
    """The surroundings: turn about the upright axis in radians, factor on their strength, and their picture."""

    turn: float
    strength: NotNegative
    hdri: PictureFile | None = None


class Variation(SceneModel):
    """Everything of a frame's scene that is not as the user's file has it.

    hidden, hidden_collections: what is not there. moved: in order, where an object is named more than once.
    camera_frame: of the animation, for the cameras alone; None for the file's.
    """

    hidden: tuple[str, ...] = ()
    hidden_collections: tuple[str, ...] = ()
    moved: tuple[Moved, ...] = ()
    drop: Drop | None = None
    camera_frame: float | None = None
    lights: tuple[VariedLight, ...] = ()
    world: VariedWorld | None = None
    background: PictureFile | None = None
