"""The section `scene` of a recipe: what is inspected in a scene of the user, and what differs from frame to frame."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    StrictBool,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from scenes.own_scene.folders import PictureFolderRecipe
from scenes.quantities.distribution import Constant, Distribution, Within, shown
from scenes.quantities.recipe_model import Degrees, Fraction, Probability, RecipeModel, together

MOST_NAMES = 100  # of one list
MOST_ENTRIES = 100

Pattern = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Patterns = Annotated[tuple[Pattern, ...], Field(max_length=MOST_NAMES)]
Shift = Annotated[Distribution, Within(-100_000, 100_000)]  # mm
Factor = Annotated[Distribution, Within(0, 1000)]
NOTHING, ONE = Constant(0.0), Constant(1.0)


def _names_or_word(cameras: Any) -> Any:
    if isinstance(cameras, str) and cameras not in ("scene", "all"):
        raise ValueError(f"found {shown(cameras)}; expected scene, all, or a list of names of cameras")
    return cameras


class PoseRecipe(RecipeModel):
    """Objects that are moved from where the file has them, each by a draw of its own."""

    objects: Patterns = Field((), description="Names or patterns of the objects; none for all that are inspected")
    axes: Literal["world", "own"] = Field(
        "world", description="Along and about which axes: the world's, or each object's own; about its origin"
    )
    shift_x_mm: Shift = Field(NOTHING, title="Along X", description="Shift along X")
    shift_y_mm: Shift = Field(NOTHING, title="Along Y", description="Shift along Y")
    shift_z_mm: Shift = Field(NOTHING, title="Along Z", description="Shift along Z")
    turn_x_degrees: Degrees = Field(NOTHING, description="Turn about X, the first of the three")
    turn_y_degrees: Degrees = Field(NOTHING, description="Turn about Y, the second")
    turn_z_degrees: Degrees = Field(NOTHING, description="Turn about Z, the last")


class ConveyorRecipe(RecipeModel):
    """Objects that a belt carries: all by the same travel, and each lying a little otherwise."""

    objects: Patterns = Field((), description="Names or patterns of what lies on the belt; none for all inspected")
    direction_degrees: Annotated[float, Field(strict=True, ge=-360, le=360)] = Field(
        0.0, description="Where the belt runs to, seen from above: 0° is X, 90° is Y"
    )
    travel_mm: Shift = Field(NOTHING, description="How far the belt has run, with everything on it")
    along_mm: Shift = Field(NOTHING, description="Shift of each object along the belt")
    across_mm: Shift = Field(NOTHING, description="Shift of each object across the belt, to the left of its run")
    turn_degrees: Degrees = Field(NOTHING, description="Turn of each object about the upright axis")


class RestingRecipe(RecipeModel):
    """Objects that are dropped onto others and lie where they come to rest, by Blender's rigid bodies."""

    objects: Patterns = Field((), description="Names or patterns of what is dropped; none for all inspected")
    onto: Patterns = Field(
        min_length=1,
        description="Names or patterns of what they fall on, a bin or a table; they are dropped over the first",
    )
    count: Annotated[Distribution, Within(0, 1000, whole=True)] | None = Field(
        None, description="How many of them a frame shows, any of them; off shows all"
    )
    spread: Fraction = Field(
        Constant(0.7),
        title="Dropped Over",
        description="Over which share of the extent of what they fall on they are dropped",
    )
    height_mm: Annotated[Distribution, Within(0, 10_000)] = Field(
        Constant(5.0), description="Clearance between what they fall on and the lowest at the start"
    )
    start: Literal["any", "own"] = Field(
        "any", description="How they are turned when they are dropped: any way, all equally likely, or as in the file"
    )
    shape: Literal["hull", "mesh"] = Field(
        "hull", description="What of them collides: their convex hulls, which is quick, or every triangle"
    )
    friction: Fraction = Field(Constant(0.5), description="Friction of everything that takes part")
    bounce: Fraction = Field(Constant(0.1), description="Share of the speed that is left after an impact")


class LightsRecipe(RecipeModel):
    """Lights of the file that differ from what the file says."""

    lights: Patterns = Field(min_length=1, description="Names or patterns of the lights, or of objects that glow")
    together: StrictBool = Field(True, description="One draw for all of them; off draws for each of its own")
    strength: Factor = Field(ONE, description="Factor on the strength that the file says")
    tint: tuple[Fraction, Fraction, Fraction] | None = Field(
        None,
        description="Colour, linear, that filters the light; instead of a colour temperature",
        json_schema_extra={"instead_of": "temperature_kelvin"},
    )
    temperature_kelvin: Annotated[Distribution, Within(1000, 40_000)] | None = Field(
        None,
        title="Colour Temperature",
        description="Colour of a black body of this temperature, as bright as before",
        json_schema_extra={"instead_of": "tint"},
    )
    turn_degrees: Degrees = Field(
        NOTHING, description="Turn of all of them together about the upright axis through what is inspected"
    )

    @model_validator(mode="after")
    def _one_colour(self) -> Self:
        if self.tint is not None and self.temperature_kelvin is not None:
            raise together("found tint and temperature_kelvin; expected at most one of them")
        return self


class WorldRecipe(RecipeModel):
    """The surroundings of the file's scene."""

    turn_degrees: Degrees = Field(NOTHING, description="Turn of the surroundings about the upright axis")
    strength: Factor = Field(ONE, description="Factor on the strength that the file says")
    hdris: PictureFolderRecipe | None = Field(
        None, title="HDRIs", description="A folder with pictures of surroundings, one of which a frame takes"
    )


class ClutterRecipe(RecipeModel):
    """What is there in some frames only."""

    objects: Patterns = Field((), description="Names or patterns of objects, each there or not by a draw of its own")
    collections: Patterns = Field((), description="Names or patterns of collections, each there or not as a whole")
    probability: Probability

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.objects and not self.collections:
            raise together("found neither objects nor collections; expected names of some")
        return self


class OwnSceneRecipe(RecipeModel):
    """A scene of the user in the place of Blemish's stage; the recipe's part, light and camera are not used then."""

    inspect: Patterns = Field(
        min_length=1, description="Names or patterns of the objects that are inspected, also within instances"
    )
    surface: Literal["own", "finish"] = Field(
        "own", description="What the layers lie on: the object's own material, or the recipe's finish"
    )
    cameras: Annotated[Literal["scene", "all"] | Patterns, BeforeValidator(_names_or_word)] = Field(
        "scene", description="The scene's camera, all, or a list of names or patterns; each shows every surface once"
    )
    picture: Literal["blender", "sensor"] = Field(
        "blender", description="Who develops the picture: the file's colour management, or the recipe's sensor"
    )
    camera_frame: Annotated[Distribution, Within(-1_000_000, 1_000_000)] | None = Field(
        None, description="Frame of the animation at which the cameras stand; all else stands at the file's"
    )
    pose: tuple[PoseRecipe, ...] = Field((), max_length=MOST_ENTRIES, description="Objects that are moved")
    conveyor: ConveyorRecipe | None = Field(None, description="A belt and what lies on it")
    resting: RestingRecipe | None = Field(None, description="Objects that are dropped and come to rest")
    lights: tuple[LightsRecipe, ...] = Field((), max_length=MOST_ENTRIES, description="Lights that differ")
    world: WorldRecipe | None = Field(None, description="The surroundings")
    background: PictureFolderRecipe | None = Field(
        None, description="A folder with pictures, one of which a frame has behind everything"
    )
    clutter: tuple[ClutterRecipe, ...] = Field(
        (), max_length=MOST_ENTRIES, description="What is there in some frames only"
    )

    @field_validator("cameras")
    @classmethod
    def _some_camera(cls, cameras: Any, info: ValidationInfo) -> Any:
        if cameras == ():
            raise ValueError("found an empty list; expected scene, all, or a list of names of cameras")
        return cameras

    def check(self) -> None:
        """Raise BlemishError where a folder that it names holds no pictures."""
        for folder in (self.background, None if self.world is None else self.world.hdris):
            if folder is not None:
                folder.names()

    def pinned(self) -> OwnSceneRecipe:
        """This section with the digests of all pictures it may choose from, so that no frame can have another.

        Raises BlemishError where a folder holds none, or others than it was pinned to.
        """
        world = self.world
        if world is not None and world.hdris is not None:
            world = world.model_copy(update={"hdris": world.hdris.pinned()})
        background = None if self.background is None else self.background.pinned()
        return self.model_copy(update={"world": world, "background": background})
