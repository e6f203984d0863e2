"""What a frame in a scene of the user shows: the camera, and each inspected object with what lies on it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from scenes.catalogue.registry import SceneFinish
from scenes.quantities.scene_model import Positive, SceneModel

Row = tuple[float, float, float, float]


class InspectedObject(SceneModel):
    """An object that layers were drawn on.

    name: in the scene. layers: how many of the scene's layers are its; those of the objects follow each other in their
    order. finish: what its surface was made with; None for its own material. texel_size: m, of its maps. pose: from its
    part's frame to the world's, metres.
    """

    name: str
    layers: Annotated[int, Field(ge=0)]
    finish: SceneFinish | None = None
    texel_size: Positive
    pose: tuple[Row, Row, Row]


class OwnScene(SceneModel):
    """A frame's camera, by its name in the file, and the inspected objects, numbered from 1 in this order."""

    camera: str
    objects: tuple[InspectedObject, ...]
