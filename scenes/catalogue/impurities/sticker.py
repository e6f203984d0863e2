"""Numbered labels."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from procgen.impurities.stickers import Sticker
from procgen.surface.layer import Family, Layer
from scenes.catalogue.entry import ImpurityEntry
from scenes.catalogue.placement.placing import anchored, place_within
from scenes.catalogue.placement.sites import PlacedRecipeModel
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import Count, Degrees, Fine, Fraction, Microns, together
from scenes.quantities.scene_model import SceneModel


class StickerRecipe(PlacedRecipeModel):
    """See `procgen.impurities.stickers.Sticker`; printed with `prefix` and a number of so many `digits`, if any."""

    class_name: ClassVar[str] = "sticker"
    family: ClassVar[Family] = "impurity"
    kind: Literal["sticker"]
    count: Count
    width_mm: Fine = Field(description="Left to right")
    height_mm: Fine = Field(description="Top to bottom in the picture")
    corner_radius_mm: Annotated[Distribution, Within(0, 1000)] = Field(
        Constant(0.0), description="Rounding of the corners"
    )
    thickness_um: Microns = Field(Constant(100.0), description="Thickness of the label")
    turn_degrees: Degrees = Field(Constant(0.0), description="Turn on the surface")
    prefix: Annotated[str, StringConstraints(max_length=24)] = Field("", description="Text printed before the number")
    number: Annotated[Distribution, Within(0, 1e9, whole=True)] = Field(
        Constant(0.0), description="The number that is printed"
    )
    digits: Annotated[int, Field(strict=True, ge=0, le=10)] = Field(
        3, description="How many digits the printed number has; 0 prints none"
    )
    text_height_mm: Fine = Field(Constant(4.0), description="Height of the letters")
    bars: bool = Field(False, description="Print a bar code above the text")
    colour: tuple[Fraction, Fraction, Fraction] = Field(
        (Constant(0.85), Constant(0.85), Constant(0.82)), description="Linear red, green and blue"
    )
    ink: tuple[Fraction, Fraction, Fraction] = Field(
        (Constant(0.02), Constant(0.02), Constant(0.02)), description="Colour of the print, linear red, green and blue"
    )
    roughness: Fraction = Field(Constant(0.6), description="Of the reflection: 0 is a mirror, 1 is chalk")
    fibres: Fraction = Field(Constant(0.03), description="Cloudiness of the paper: 0 is vinyl")
    lift_um: Microns = Field(Constant(0.0), description="How far one side of the label stands off")
    lift_angle_degrees: Degrees = Field(Constant(0.0), description="Which side of the label stands off")
    lift_length_mm: Fine = Field(Constant(4.0), description="Length over which the lifted side bends")
    bubbles: Count = Field(Constant(0.0), description="How many bubbles of air lie under the label")
    bubble_radius_um: Annotated[Distribution, Within(1, 10_000)] = Field(
        Constant(800.0), description="Size of a bubble under the label"
    )
    bubble_rise: Fraction = Field(Constant(0.1), description="Height of a bubble over its radius")

    @model_validator(mode="after")
    def _corners_fit(self) -> Self:
        shortest = min(self.width_mm.low, self.height_mm.low)
        if self.corner_radius_mm.high > shortest / 2:
            raise together(
                f"found corner_radius_mm up to {self.corner_radius_mm.high:g} on a side from {shortest:g}; "
                "expected at most half of it"
            )
        return self

    def sample(self, surface: Chart, stream: RandomStream) -> list[StickerLayer]:
        """The stickers of one frame."""
        return [self._one(surface, stream.at(place)) for place in range(stream.whole("count", self.count))]

    def _one(self, surface: Chart, stream: RandomStream) -> StickerLayer:
        quantities = stream.quantities(self, omit=("count", "number", "bubbles"))
        number = f"{stream.whole('number', self.number):0{self.digits}d}" if self.digits else ""
        place = place_within(surface, stream, reach=0.5 * math.hypot(quantities["width"], quantities["height"]))
        return StickerLayer(
            sticker=Sticker(
                anchor=anchored(surface, place, quantities.pop("turn")),
                **quantities,
                text=(self.prefix + number).strip(),
                bars=self.bars,
                colour=stream.colour("colour", self.colour),
                ink=stream.colour("ink", self.ink),
                bubbles=stream.whole("bubbles", self.bubbles),
                seed=stream.layer_seed(),
            )
        )


class StickerLayer(SceneModel):
    """One sticker."""

    kind: Literal["sticker"] = "sticker"
    sticker: Sticker

    def to_layer(self, surface: Chart) -> Layer:
        """The sticker itself: it has nothing to simulate."""
        return self.sticker


ENTRIES = (
    ImpurityEntry(
        kind="sticker",
        recipe=StickerRecipe,
        drawn=StickerLayer,
        title="Sticker",
        tooltip="A printed label",
        noun="sticker",
    ),
)
