"""Pictures of a recipe's defects without Blender: the fields themselves at the pixels of an even grey surface."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from scenes import Recipe, build_part, draw
from scenes.camera.imaging import pixel_footprint
from scenes.formats.sample import GOOD, Sample
from scenes.formats.truth import DefectInstance, Truth

SURFACE = 0.5  # brightness of what is bare
NOISE = 0.01
ALBEDO = 0.16  # of the recipe's ferrite: what its changes of reflectance are to be compared with


@dataclass(frozen=True)
class Masks:
    """A truth that is held in memory."""

    instances: tuple[DefectInstance, ...]

    def read(self, shape: tuple[int, int], image_path: Path, folder: Path | None = None) -> Truth:
        union = np.zeros(shape, bool)
        for instance in self.instances:
            union |= instance.mask
        return Truth(union, self.instances)

    def files(self) -> tuple[Path, ...]:
        return ()


def pictures(recipe: Recipe, folder: Path, count: int, seed: int = 0, sees: float = 1.0) -> list[Sample]:
    """Frames 0 to count - 1, written to a folder, with their masks. sees: contrast, as a share of what it is."""
    folder.mkdir(parents=True, exist_ok=True)
    samples = []
    for index in range(count):
        scene = draw(recipe, seed, index)
        part = build_part(scene.part)
        points = part.surface.points(pixel_footprint(scene.camera, scene.camera.focus_distance))
        assert points.shape is not None
        grey = np.full(points.shape, SURFACE)
        instances = []
        for layer, chart in scene.placed_layers():
            found = layer.to_layer(part.charts[chart]).evaluate(points)
            inside = found.inside.reshape(points.shape)
            if inside.any():
                instances.append(DefectInstance(layer.kind, "defect", inside))
                change = np.broadcast_to(np.atleast_2d(found.reflectance.T).T, (len(points), 3)).mean(axis=1)
                over = sees * (change - found.opacity * ALBEDO) / ALBEDO
                grey *= 1 + over.reshape(points.shape)
        noise = np.random.default_rng([seed, index]).normal(0, NOISE, points.shape)
        path = folder / f"{index:03d}.png"
        picture = np.clip(np.rint(255 * (grey + noise)), 0, 255).astype(np.uint8)
        Image.fromarray(np.repeat(picture[..., None], 3, axis=2)).save(path)
        label = "+".join(sorted({instance.class_name for instance in instances})) or GOOD
        samples.append(Sample(path.name, f"{seed}-{index}", label, path, Masks(tuple(instances))))
    return samples
