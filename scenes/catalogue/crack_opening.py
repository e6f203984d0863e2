"""What every kind of crack has in common: how it gapes, and what that looks like."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from procgen.defects.cracks import Crack, CrackGraph, round_grains
from procgen.surface.layer import Family
from scenes.catalogue.layer_model import LayerRecipeModel
from scenes.catalogue.severity import share_at
from scenes.geometry.atlas import Chart
from scenes.quantities.distribution import Constant, Distribution, Within
from scenes.quantities.random_stream import RandomStream
from scenes.quantities.recipe_model import (
    Fine,
    Fraction,
    ReflectanceChange,
    RoughnessChange,
    Severity,
)
from scenes.quantities.scene_model import SceneModel, lacking

Width = Annotated[Distribution, Within(1, 10_000)]

Ragged = Annotated[Distribution, Within(0, 10_000)]

LOOK = ("reflectance_change", "roughness_change", "lip", "filled", "filled_size", "spalled", "ragged", "grain")
NARROWEST = 0.05  # share of a crack's width and depth at severity 0


class OpeningRecipe(LayerRecipeModel):
    """See `procgen.defects.cracks.opening` and `procgen.defects.cracks.layer`; severity is how far the crack has
    opened."""

    class_name: ClassVar[str] = "crack"
    family: ClassVar[Family] = "defect"
    severity: Severity = Constant(1.0)
    width_um: Width = Field(description="Width from side to side")
    width_variation: Annotated[Distribution, Within(0, 2)] = Field(
        Constant(0.45),
        title="Width Varies",
        description="How much the opening changes along the crack: standard deviation over mean",
    )
    width_correlation_mm: Fine = Field(
        Constant(1.0), title="…over Length", description="Length over which the opening changes"
    )
    depth_um: Annotated[Distribution, Within(1, 10_000)] = Field(description="Depth below the surface")
    reflectance_change: ReflectanceChange
    roughness_change: RoughnessChange = Constant(0.3)
    lip: Fraction = Field(
        Constant(0.0), title="Lip Height", description="Height of the raised edges, over the depth beside them"
    )
    filled: Fraction = Field(Constant(0.0), description="Share of its way on which grit and dirt fill it")
    filled_size_mm: Fine = Field(Constant(5.0), description="Length of the filled stretches")
    spalled: Fraction = Field(
        Constant(0.0), description="Share of its width where it does not gape, and its edges have broken away"
    )
    ragged_um: Ragged = Field(Constant(0.0), description="How far it strays to run round the material's grains")
    grain_mm: Fine = Field(Constant(3.0), title="Grain", description="Size of the grains that it runs round")


class CrackedLayer(SceneModel):
    """What all cracks on a surface hold in common; see `procgen.defects.cracks.layer.Crack`."""

    reflectance_change: float
    roughness_change: float
    lip: float = 0.0
    filled: float = Field(0.0, exclude_if=lacking)
    filled_size: float = Field(0.0, exclude_if=lacking)
    spalled: float = Field(0.0, exclude_if=lacking)
    ragged: float = Field(0.0, exclude_if=lacking)
    grain: float = Field(0.0, exclude_if=lacking)
    seed: int

    def to_crack(self, graph: CrackGraph, surface: Chart) -> Crack:
        """The field over the surface of a crack on its chart."""
        if self.ragged > 0:
            graph = round_grains(graph, self.ragged, self.grain, self.seed)
        look: dict[str, Any] = {name: getattr(self, name) for name in ("roughness_change", "lip", "spalled")}
        if self.filled > 0:
            look |= {"filled": self.filled, "filled_size": self.filled_size, "seed": self.seed}
        return Crack(graph.embedded(surface.embed), self.reflectance_change, **look)


def drawn_opening(
    recipe: OpeningRecipe, stream: RandomStream, *, omit: tuple[str, ...] = ()
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The quantities of one crack in SI units: those of its simulation, and those of a CrackedLayer."""
    quantities = stream.quantities(recipe, omit=("severity", *omit))
    share = share_at(recipe.severity, stream, least=NARROWEST)
    quantities |= {"width": share * quantities["width"], "depth": share * quantities["depth"]}
    look = {name: quantities.pop(name) for name in LOOK}
    for of, size in (("filled", "filled_size"), ("ragged", "grain")):
        if look[of] == 0:
            look[size] = 0.0
    return quantities, look | {"seed": stream.layer_seed()}
