"""Recipes: what a dataset shows, in the units of a drawing, every random quantity written as a distribution."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    Field,
    StrictBool,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import ErrorDetails

from procgen.surface.layer import Family
from scenes.camera.white_balance import COLDEST, HOTTEST
from scenes.catalogue.placement.sites import PlacedRecipeModel
from scenes.catalogue.registry import PARTS, DefectRecipe, FinishRecipe, ImpurityRecipe, LightRecipe
from scenes.geometry.atlas import TEXTURE_SIDE_LIMIT
from scenes.own_scene.section import OwnSceneRecipe
from scenes.own_scene.stand_ins import STAND_INS
from scenes.parts import PartRecipe, build_part
from scenes.quantities.distribution import Constant, Distribution, Within, shown
from scenes.quantities.random_stream import LargestStream
from scenes.quantities.recipe_model import Fraction, Ratio, RecipeModel, together
from scenes.recipes.camera import CameraRecipe
from scenes.recipes.lots import LotRecipe, check_lots, lot_at, moved, of_lot
from scenes.recipes.paths import quantity_at
from scenes.recipes.reading import RecipeError, recipe_fields

TEXELS_PER_PIXEL = 2.0  # linear; more texels cost time and memory and change no pixel
MOST_ENTRIES = 100  # of a family
MOST_FREE = 100  # quantities that may be fitted
MOST_LOTS = 20
MOST_PROBLEMS = 20  # told of one recipe
LONGEST_NAME = 60  # characters of a field, told as it is

Families = Literal["defects", "impurities"]
SWITCHED_OFF = re.compile(r"(defects|impurities)(\.(0|[1-9]\d{0,5}))?")


def _can_be_off(name: str) -> str:
    if not SWITCHED_OFF.fullmatch(name):
        raise ValueError(f"found {shown(name)}; expected defects or impurities, or one entry of them, as in defects.0")
    return name


End = Annotated[float, Field(strict=True)]


class SensorRecipe(RecipeModel):
    """See `scenes.camera.sensor.develop`."""

    exposure: Annotated[Distribution, Within(1e-6, 1e6)] = Field(
        description="Share of the sensor's full well that a radiance of 1 W/m²/sr fills"
    )
    vignetting: Annotated[Distribution, Within(0, 0.99)] = Field(
        Constant(0.0), description="Share of the light that is lost in the corners"
    )
    blur_px: Annotated[Distribution, Within(0, 50)] = Field(
        Constant(0.0), description="Standard deviation of the lens's blur"
    )
    full_well_electrons: Annotated[float, Field(strict=True, ge=1, le=1e9)] | None = Field(
        None,
        description="Electrons of a saturated pixel, which give the noise of the light; off is a sensor without noise",
    )
    read_noise_electrons: Annotated[Distribution, Within(0, 1e6)] = Field(
        Constant(0.0), description="Noise of reading a pixel, a standard deviation; needs a full well"
    )
    transfer: Literal["linear", "srgb"] = Field(
        "srgb", description="What the stored numbers are proportional to: the light, or its sRGB curve"
    )
    bits: Literal[8, 16] = Field(8, title="Bit Depth", description="Bits of each stored number")
    monochrome: StrictBool = Field(False, description="A sensor without colour filters: one number a pixel")
    dirt_spots: Annotated[Distribution, Within(0, 100, whole=True)] = Field(
        Constant(0.0), description="How many blurred dark spots dirt on the lens makes"
    )
    dirt_radius: Annotated[Distribution, Within(0.001, 1)] = Field(
        Constant(0.03), description="Radius of a spot as a share of the picture's width"
    )
    dirt_opacity: Fraction = Field(Constant(0.1), description="Share of the light that a spot takes in its middle")
    column_gain: Fraction = Field(
        Constant(0.0), description="How much a line-scan camera's columns differ in sensitivity, a standard deviation"
    )
    column_offset: Fraction = Field(
        Constant(0.0),
        description="Share of full well by which a line-scan camera's columns differ in the dark, a standard deviation",
    )
    row_jitter_px: Annotated[Distribution, Within(0, 2)] = Field(
        Constant(0.0), description="How far a line-scan camera's rows are shaken sideways, a standard deviation"
    )
    white_balance_kelvin: Annotated[Distribution, Within(COLDEST, HOTTEST)] | None = Field(
        None, description="Colour of light that the camera takes for white; off is that of the light, 6504 K"
    )
    threshold: Annotated[Distribution, Within(0.001, 1)] | None = Field(
        None, description="Share of full well above which a pixel is stored as white, else as black"
    )
    negative: StrictBool = Field(False, description="Dark is stored bright, and bright dark")
    sharpening: Ratio = Field(Constant(0.0), description="How much of the unsharp mask the camera adds")
    sharpening_px: Annotated[Distribution, Within(0.2, 20)] = Field(
        Constant(1.0), title="Sharpening Radius", description="Radius of the unsharp mask"
    )
    jpeg_quality: Annotated[Distribution, Within(1, 100, whole=True)] | None = Field(
        None, title="JPEG Quality", description="Quality of the JPEG that the camera stores; off stores all it has"
    )

    @model_validator(mode="after")
    def _jpeg_has_8_bits(self) -> Self:
        if self.jpeg_quality is not None and self.bits != 8:
            raise together(f"found jpeg_quality with {self.bits} bits; expected bits: 8, which is all that JPEG stores")
        return self

    @model_validator(mode="after")
    def _electrons_need_a_well(self) -> Self:
        if self.full_well_electrons is None and self.read_noise_electrons.high > 0:
            raise together(
                "found read_noise_electrons without full_well_electrons; expected both, or neither for a sensor "
                "without noise"
            )
        return self


class Recipe(RecipeModel):
    """Everything that a dataset's frames have in common, and how they differ.

    texel_um: size of the texels of the surface maps; from the camera, two texels a pixel, when not given.
    switched_off: families of layers that are described but left out, or single entries of them, as in "defects.0"; all
    else stays as it is. See `without`. lots: see `LotRecipe`. scene: of the user; part, light and camera stand for
    nothing then.
    calibrate: what `blemish calibrate` may change, by its path, and between which bounds. No frame depends on it, so it
    is not written down with them.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")] = Field(
        description="Name of the recipe: letters, digits, - and _"
    )
    part: PartRecipe = Field(description="The part that is inspected")
    finish: FinishRecipe = Field(description="The surface as it was made")
    defects: tuple[DefectRecipe, ...] = Field((), max_length=MOST_ENTRIES, description="The defects, bottom first")
    impurities: tuple[ImpurityRecipe, ...] = Field(
        (), max_length=MOST_ENTRIES, description="What lies on the surface, bottom first"
    )
    light: LightRecipe = Field(description="The light")
    camera: CameraRecipe = Field(description="The camera")
    sensor: SensorRecipe = Field(description="What the camera's chip makes of the light")
    texel_um: Annotated[float, Field(strict=True, ge=0.01, le=1e5)] | None = Field(
        None,
        title="Texel Size",
        description="Size of the texels of the surface maps when rendering; off takes half of what a pixel sees",
    )
    switched_off: tuple[Annotated[str, AfterValidator(_can_be_off)], ...] = Field(
        (),
        description="Families of layers, or single entries of them such as defects.0, that are described but left out",
    )
    lots: tuple[LotRecipe, ...] = Field(
        (),
        max_length=MOST_LOTS,
        exclude_if=lambda lots: not lots,
        description="Lots, each of a share of the surfaces, with quantities of its own",
    )
    scene: OwnSceneRecipe | None = Field(
        None,
        exclude_if=lambda scene: scene is None,
        description="A scene of your own in a .blend, in the place of Blemish's stage",
    )

    @model_validator(mode="before")
    @classmethod
    def _scene_needs_no_stage(cls, written: Any) -> Any:
        """Part, light and camera are the scene's own; so are finish and sensor, unless it says otherwise."""
        scene = written.get("scene") if isinstance(written, dict) else None
        if not isinstance(scene, dict | OwnSceneRecipe):
            return written
        says = scene if isinstance(scene, dict) else scene.model_dump(mode="json")
        needed = {"finish": says.get("surface") == "finish", "sensor": says.get("picture") == "sensor"}
        return {**{name: value for name, value in STAND_INS.items() if not needed.get(name)}, **written}

    calibrate: dict[str, tuple[End, End]] = Field(
        {},
        max_length=MOST_FREE,
        exclude=True,
        description="What may be fitted to photographs: paths such as finish.grain, each with its bounds",
    )

    @model_validator(mode="after")
    def _calibrates_what_is_there(self) -> Self:
        for path, (low, high) in self.calibrate.items():
            try:
                quantity_at(self.model_copy(update={"lots": ()}), path)
            except ValueError as error:
                raise together(f"calibrate: {error}") from None
            if not low < high:
                raise together(f"calibrate.{path}: found [{low:g}, {high:g}]; expected a lower and a higher bound")
        return self

    @model_validator(mode="after")
    def _maps_fit(self) -> Self:
        if self.scene is not None:
            return self  # what is inspected is known when the file is opened
        from_camera_mm = self.camera.finest_pixel_mm(self.part) / TEXELS_PER_PIXEL
        finest_mm = from_camera_mm if self.texel_um is None else self.texel_um / 1e3
        needed = self.part.longest_mm / finest_mm
        if needed > TEXTURE_SIDE_LIMIT:
            given = self.texel_um is not None
            cause = f"texel_um: found {self.texel_um:g}, so fine" if given else "camera: found a view so near"
            coarsest = math.ceil(self.part.longest_mm * 1e3 / TEXTURE_SIDE_LIMIT)
            raise together(
                f"{cause} that the part may need {needed:.0f} texels on a side; expected at most {TEXTURE_SIDE_LIMIT}, "
                f"as with texel_um: {coarsest}"
            )
        return self

    @model_validator(mode="after")
    def _has_another_side(self) -> Self:
        if self.camera.both_sides and "back" not in PARTS[self.part.kind].provides:
            kinds = ", ".join(kind for kind, entry in PARTS.items() if "back" in entry.provides)
            raise together(
                f"camera.both_sides: found the part {self.part.kind}; expected one whose back is as its front: {kinds}"
            )
        return self

    @model_validator(mode="after")
    def _placements_refer_back(self) -> Self:
        drawn: list[str] = []
        for family, entries in (("defects", self.defects), ("impurities", self.impurities)):
            for position, entry in enumerate(entries):
                referred: tuple[str, ...] = entry.refers_to if isinstance(entry, PlacedRecipeModel) else ()
                for kind in referred:
                    if kind not in drawn:
                        raise together(
                            f"{family}.{position}.placement: found {shown(kind)}; expected the kind of an entry before "
                            f"it, {', '.join(drawn) or 'of which there is none'}; defects come before impurities"
                        )
                drawn.append(entry.kind)
        return self

    @model_validator(mode="after")
    def _entries_fit_the_part(self) -> Self:
        if self.scene is not None:
            return self
        for family, entries in (("defects", self.defects), ("impurities", self.impurities)):
            for position, entry in enumerate(entries):
                if trouble := entry.trouble_on(self._largest_charts):
                    raise together(f"{family}.{position}.{trouble}")
        return self

    def _largest_charts(self) -> list[tuple[float, float]]:
        """Extents (m) of the charts of the part at its largest."""
        return [chart.size for chart in build_part(self.part.sample(LargestStream(0, 0))).charts]

    @model_validator(mode="after")
    def _switches_off_what_is_there(self) -> Self:
        for name in self.switched_off:
            family, _, position = name.partition(".")
            count = len(getattr(self, family))
            if position and int(position) >= count:
                raise together(
                    f"switched_off: found {name}; expected the number of an entry of {family}, of which there are "
                    f"{count}, counted from 0"
                )
        return self

    @model_validator(mode="after")
    def _lots_are_recipes(self, info: ValidationInfo) -> Self:
        check_lots(self.lots, self.model_copy(update={"lots": ()}))
        for position, lot in enumerate(self.lots):
            fields = of_lot(self, lot).model_dump(mode="json")
            try:
                Recipe.model_validate(fields, context=info.context)
            except ValidationError as error:
                raise together(f"lots.{position} ({lot.name}): {next(_problems(error, fields))}") from None
        return self

    def of_surface(self, seed: int, surface: int) -> tuple[Recipe, str | None]:
        """What a surface of a dataset is drawn from, this recipe with the quantities of its lot, and the lot's name."""
        lot = lot_at(self.lots, seed, surface)
        return (self, None) if lot is None else (of_lot(self, lot), lot.name)

    def of_frame(self, seed: int, index: int) -> Recipe:
        """What a frame of a dataset is drawn from that has as many views of a surface as the camera has positions."""
        return self.of_surface(seed, index // self.camera.views)[0]

    def of_each_lot(self) -> Iterator[Recipe]:
        """What surfaces may be drawn from: this recipe, and it with the quantities of each lot."""
        yield self.model_copy(update={"lots": ()})
        for lot in self.lots:
            yield of_lot(self, lot)

    def is_off(self, family: str, position: int) -> bool:
        """Whether the entry at `position` of a family is left out, alone or with the whole family."""
        return family in self.switched_off or f"{family}.{position}" in self.switched_off

    def without(self, *families: str) -> Recipe:
        """The twin of this recipe: every frame the same, bit for bit, but for the layers of these families.

        families: "defects", "impurities". Raises RecipeError for any other.
        """
        unknown = sorted(set(families) - set(get_args(Families)))
        if unknown:
            raise RecipeError(self.name, [f"no family {shown(name)}; expected defects, impurities" for name in unknown])
        return self.model_copy(update={"switched_off": tuple(sorted({*self.switched_off, *families}))})

    def only(self, *kinds: str) -> Recipe:
        """This recipe with no other entries of defects and impurities than those of `kinds`.

        Raises RecipeError where one of them is placed at, along or off a kind that is gone.
        """
        fields = self.model_dump(mode="json")
        places: dict[str, list[str]] = {}
        for family in get_args(Families):
            kept = [position for position, entry in enumerate(fields[family]) if entry["kind"] in kinds]
            places |= {f"{family}.{position}": [f"{family}.{place}"] for place, position in enumerate(kept)}
            fields[family] = [fields[family][position] for position in kept]
        if self.lots:
            fields["lots"] = moved(fields["lots"], places)
        return recipe_from(fields, self.name)

    @property
    def class_families(self) -> dict[str, Family]:
        """Class name -> family of every class that the recipe describes; the order gives the classes' bits."""
        layers: tuple[DefectRecipe | ImpurityRecipe, ...] = (*self.defects, *self.impurities)
        return {layer.class_name: layer.family for layer in layers}

    @property
    def class_bits(self) -> dict[str, int]:
        """Class name -> bit in the class mask; the same for a recipe and its twins."""
        return {name: bit for bit, name in enumerate(self.class_families)}


def load_recipe(name_or_path: str | Path) -> Recipe:
    """Read a shipped recipe by name, or a YAML file. Raises RecipeError with one line per problem."""
    return recipe_from(recipe_fields(name_or_path), str(name_or_path))


def recipe_from(written: object, source: str) -> Recipe:
    """The recipe that a mapping describes, as YAML or JSON give it; the files it names lie beside `source`.

    Raises RecipeError naming `source`.
    """
    if written is None:
        raise RecipeError(source, ["found an empty file; expected the fields of a recipe (see `blemish recipe plate`)"])
    if not isinstance(written, dict):
        raise RecipeError(source, [f"found {shown(written)}; expected fields as in `blemish recipe plate`"])
    try:
        return Recipe.model_validate(written, context={"folder": Path(source).parent})
    except ValidationError as error:
        problems = list(islice(_problems(error, written), MOST_PROBLEMS))
        if (more := error.error_count() - len(problems)) > 0:
            problems.append(f"and {more} more problems of {error.error_count()}")
        raise RecipeError(source, problems) from None


def _problems(error: ValidationError, written: dict[Any, Any]) -> Iterator[str]:
    for details in error.errors():
        path, section = _locate(details["loc"], written)
        yield f"{path}: {_said(details, section)}" if path else _said(details, section)


def _locate(location: tuple[int | str, ...], written: object) -> tuple[str, object]:
    """The path of a field as its author wrote it, and the section that holds it.

    Pydantic's location also names the kind that it chose among several; that is no key of what was written.
    """
    names: list[str] = []
    section: object = written
    here: object = written
    for step, name in enumerate(location):
        last = step == len(location) - 1
        if isinstance(here, dict) and (name in here or (last and name != here.get("kind"))):
            section, here = here, here.get(name)
        elif isinstance(here, list | tuple) and isinstance(name, int):
            section, here = here, here[name] if name < len(here) else None
        else:
            continue
        plain = isinstance(name, int) or (name.isprintable() and len(name) <= LONGEST_NAME)
        names.append(str(name) if plain else shown(name))
    return ".".join(names), section


def _said(details: ErrorDetails, section: object) -> str:
    """What is wrong with one field, as "found X; expected Y"."""
    found = shown(details["input"])
    context = details.get("ctx", {})
    match details["type"]:
        case "missing":
            return "missing; expected this field to be given"
        case "extra_forbidden":
            allowed = _allowed_fields(section)
            near = difflib.get_close_matches(str(details["loc"][-1]), allowed, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            return f"unknown field{hint} (allowed: {', '.join(allowed)})"
        case "union_tag_not_found":
            field = Recipe.model_fields[str(details["loc"][0])]
            return f"found no kind; expected kind: one of {', '.join(_kinds(field.annotation))}"
        case "union_tag_invalid":
            return f"found kind: {context['tag']}; expected {context['expected_tags'].replace(chr(39), '')}"
        case "literal_error":
            return f"found {found}; expected {context['expected'].replace(chr(39), '')}"
        case "value_error":
            return str(context["error"])
        case "fields_together":
            return details["msg"]
        case "model_type" | "model_attributes_type":
            return f"found {found}; expected a mapping of fields"
        case "too_long":
            return f"found {context['actual_length'] or 'more'} entries; expected at most {context['max_length']}"
        case "tuple_type":
            return f"found {found}; expected a list"
        case "less_than_equal":
            return f"found {found}; expected at most {context['le']}"
        case "greater_than_equal":
            return f"found {found}; expected at least {context['ge']}"
        case "string_pattern_mismatch":
            return f"found {found}; expected up to 64 letters, digits, - and _, beginning with a letter or digit"
        case _:
            return f"found {found}; expected {details['msg'].removeprefix('Input should be ')}"


def _kinds(annotation: object) -> list[str]:
    """The kinds of section that a field's type allows."""
    if isinstance(annotation, type) and issubclass(annotation, RecipeModel):
        return list(get_args(annotation.model_fields["kind"].annotation))
    return [kind for argument in get_args(annotation) for kind in _kinds(argument)]


def _allowed_fields(section: object) -> tuple[str, ...]:
    """Names of the fields that a section may have; of the section that it resembles most where it names no kind."""
    written = section if isinstance(section, dict) else {}
    models = list(_below(RecipeModel))
    of_kind = [model for model in models if "kind" in model.model_fields and written.get("kind") in _kinds(model)]
    likeliest = max(of_kind or models, key=lambda model: len(written.keys() & model.model_fields.keys()))
    return tuple(likeliest.model_fields)


def _below(model: type[RecipeModel]) -> Iterator[type[RecipeModel]]:
    """Every section that derives from this one."""
    for derived in model.__subclasses__():
        yield derived
        yield from _below(derived)
