"""The method `procedural`: layers on photographs."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from diffusion_refine.synthesis.loop import carry_out
from diffusion_refine.synthesis.procedural.method import procedural_synthesis
from diffusion_refine.synthesis.procedural.painting import painted, photo_light
from diffusion_refine.synthesis.procedural.photograph_frames import PhotographFrames
from scenes import Dataset, Recipe, load_recipe
from scenes.camera.light import AreaPanel, Dome, Light
from scenes.jobs.progress import Progress
from scenes.pictures import png
from scenes.pictures.errors import PictureError
from scenes.pictures.reading import read_photograph
from scenes.recipes.on_photographs import Lamp, draw_on
from scenes.recipes.recipe import recipe_from
from tests.scenes.conftest import changed

SIZES = {"L": (40, 60), "RGB": (48, 64, 3)}


@pytest.fixture
def cracked():
    return changed(
        load_recipe("plate").only("crack", "water_stains"), defects={"count": 3, "length_mm": 60, "width_um": 4000}
    )


def saved(path: Path, shape: tuple[int, ...], dtype: type = np.uint8) -> Path:
    most = np.iinfo(dtype).max
    pixels = np.random.default_rng(len(shape)).integers(most // 5, 4 * most // 5, shape).astype(dtype)
    path.write_bytes(png.encode(pixels))
    return path


def synthesize_dataset(
    photographs: list[Path],
    recipe: Recipe,
    out: Path,
    count: int = 1,
    seed: int = 0,
    progress: Progress = lambda *_: None,
) -> Dataset:
    return carry_out(procedural_synthesis(PhotographFrames(photographs, recipe, count, seed)), out, progress)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_without_layers_the_pixels_stay_as_they_are(tmp_path, cracked, mode, dtype):
    path = saved(tmp_path / "good.png", SIZES[mode], dtype)
    dataset = synthesize_dataset([path], cracked.without("defects").without("impurities"), tmp_path / "out")
    assert dataset[0].image.dtype == dtype
    assert np.array_equal(dataset[0].image, png.read(path))
    assert not dataset[0].classes.any()


def test_only_the_masks_and_their_surroundings_change(tmp_path, cracked):
    photo = read_photograph(saved(tmp_path / "good.png", (96, 128)))
    scene = draw_on(photo, cracked.without("impurities"), 0, 0, None, None)
    made = painted(photo.pixels, scene, gloss=0.2)
    pixels, classes, defects, impurities, instances = (
        made.pixels,
        made.classes,
        made.defects,
        made.impurities,
        made.instances,
    )
    assert len(instances) == 3
    assert defects.max() == 3
    assert not impurities.any()
    assert np.array_equal(classes > 0, defects > 0)
    from scipy.ndimage import binary_dilation

    reach = 1 + math.ceil(4 * scene.sensor.blur)
    near = binary_dilation(defects > 0, np.ones((3, 3)), iterations=reach)
    assert np.array_equal(pixels[~near], photo.pixels[~near])
    assert np.mean(pixels[defects > 0]) < np.mean(photo.pixels[defects > 0])


def test_photos_of_all_sizes_make_one_dataset(tmp_path, cracked):
    paths = [saved(tmp_path / f"{mode}.png", shape) for mode, shape in SIZES.items()]
    dataset = synthesize_dataset(paths, cracked, tmp_path / "out", count=2, seed=3)
    assert [frame.image.shape for frame in dataset] == [SIZES["L"]] * 2 + [SIZES["RGB"]] * 2
    assert [frame.scene.part.name for frame in dataset] == ["L.png", "L.png", "RGB.png", "RGB.png"]
    listed = json.loads((tmp_path / "out" / "annotations.json").read_text())["images"]
    assert [(image["height"], image["width"]) for image in listed] == [(40, 60)] * 2 + [(48, 64)] * 2
    assert not any(str(tmp_path) in file.read_text() for file in (tmp_path / "out").rglob("*.json"))
    assert not np.array_equal(dataset[0].image, dataset[1].image)


def test_a_stopped_run_ends_in_the_same_bytes(tmp_path, cracked):
    path = saved(tmp_path / "good.png", SIZES["L"])
    whole = synthesize_dataset([path], cracked, tmp_path / "whole", count=3)
    with pytest.raises(ZeroDivisionError):
        synthesize_dataset([path], cracked, tmp_path / "cut", 3, progress=lambda what, done, total: 1 // (1 - done))
    assert len(Dataset(tmp_path / "cut")) == 1
    resumed = synthesize_dataset([path], cracked, tmp_path / "cut", count=3)
    files = {file.relative_to(whole.path): file.read_bytes() for file in whole.path.rglob("*") if file.is_file()}
    assert files == {f.relative_to(resumed.path): f.read_bytes() for f in resumed.path.rglob("*") if f.is_file()}


def test_the_scale_is_given_or_taken_from_the_recipes_view(tmp_path, cracked):
    photo = read_photograph(saved(tmp_path / "good.png", (50, 100)))
    assert draw_on(photo, cracked, 0, 0, 2e-4, None).part.width == pytest.approx(0.02)
    assert draw_on(photo, cracked, 0, 0, None, None).part.width == pytest.approx(0.12)  # of the plate
    assert draw_on(photo, cracked, 0, 0, 2e-4, None).texel_size == pytest.approx(2e-4)


def test_a_lamp_stands_where_it_is_said_to(tmp_path, cracked):
    photo = read_photograph(saved(tmp_path / "good.png", (50, 100)))
    lamp = Lamp(math.radians(30), math.radians(40), ambient=0.25)
    light = photo_light(draw_on(photo, cracked, 0, 0, None, lamp).light, gloss=0)
    ((x, y, z),) = light.directions
    assert (math.degrees(math.atan2(y, x)), math.degrees(math.asin(z))) == pytest.approx((30, 40))
    assert light.ambient == pytest.approx(0.25)
    with pytest.raises(PictureError, match="elevation"):
        draw_on(photo, cracked, 0, 0, None, Lamp(0, 0))


def test_other_lights_of_a_recipe_shade_a_photograph_as_they_shine(tmp_path, cracked):
    photo = read_photograph(saved(tmp_path / "good.png", (50, 100)))
    fields = cracked.model_dump(mode="json")
    fields["camera"] |= {"offset_x_mm": 0, "offset_y_mm": 0}

    def shaded(light, normal, gloss=0.0):
        scene = draw_on(photo, recipe_from({**fields, "light": light}, "lit"), 0, 0, None, None)
        tilted = np.array([normal]) / np.linalg.norm(normal)
        return float(photo_light(scene.light, gloss).shading(tilted, np.array([0.3]), 0.3)[0])

    dome = {"kind": "dome", "diameter_mm": 200, "radiance_w_per_m2_sr": 5, "opening_mm": 40}
    assert shaded(dome, (0.6, 0.0, 0.8)) == pytest.approx(0.9)  # the share of the sky that it sees
    assert shaded(dome, (0.6, 0.0, 0.8), gloss=1.0) == pytest.approx(1.0)  # mirrored from everywhere alike
    coaxial = {"kind": "coaxial", "width_mm": 60, "distance_mm": 90, "radiance_w_per_m2_sr": 5}
    assert shaded(coaxial, (0.6, 0.0, 0.8)) == pytest.approx(0.8)  # Lambert's cosine of light from above
    sides = {"distance_mm": 100, "height_mm": 100, "length_mm": 100, "width_mm": 10, "power_w": 4}
    bar = {"kind": "bar", "rotation_degrees": 180, **sides}
    assert shaded(bar, (-0.6, 0.0, 0.8)) == pytest.approx((0.6 + 0.8) / math.sqrt(2) / math.sqrt(0.5))
    back = {"kind": "back", "width_mm": 200, "length_mm": 200, "distance_mm": 20, "radiance_w_per_m2_sr": 5}
    with pytest.raises(PictureError, match="does not reach the middle of the picture; give a light direction"):
        shaded(back, (0.0, 0.0, 1.0))


def test_what_fills_the_opening_of_a_dome_closes_it():
    panel = AreaPanel(position=(0, 0, 0.1), direction=(0, 0, -1), along=(1, 0, 0), width=0.02, length=0.02, power=0.5)
    whole = Dome(centre=(0, 0, 0), radius=0.1, radiance=3.0)
    ring, cap = (whole.model_copy(update=bounds) for bounds in ({"hole": 0.5}, {"rim": 0.5}))

    def ambient(*domes: Dome) -> float:
        return photo_light(Light(panels=(panel,), domes=domes, ambient=0.0), gloss=0.0).ambient

    assert ambient(ring, cap) == pytest.approx(ambient(whole))
    assert ambient(ring, cap.model_copy(update={"radiance": 0.0})) == pytest.approx(ambient(ring))
    assert ambient(ring) < ambient(whole)


def test_frames_of_one_photo_are_one_surface(tmp_path, cracked):
    from scenes.formats.registry import read_samples

    paths = [saved(tmp_path / f"{mode}.png", shape) for mode, shape in SIZES.items()]
    Dataset(synthesize_dataset(paths, cracked, tmp_path / "out", count=2).path)
    groups = [sample.group for sample in read_samples(tmp_path / "out")]
    assert groups[0] == groups[1] != groups[2] == groups[3]


def test_one_class_keeps_the_defects_of_one_class_as_they_were(tmp_path):
    recipe = changed(load_recipe("plate").only("crack", "dent", "pitting", "water_stains"), defects={"count": 1})
    path, kept = saved(tmp_path / "good.png", (24, 32)), set()
    every = PhotographFrames([path], recipe, 8)
    alone = PhotographFrames([path], recipe, 8, one_class=True)
    for index in range(8):
        frame, all_of_them = alone.at(index)[0], every.at(index)[0].scene
        kinds = {layer.kind for layer in frame.scene.layers} - {"water_stains"}
        assert len(kinds) == 1
        assert list(frame.scene.layers) == [i for i in all_of_them.layers if i.kind in (*kinds, "water_stains")]
        assert frame.scene.classes == all_of_them.classes
        assert alone.at(index)[0].scene == frame.scene
        kept |= kinds
    assert len(kept) > 1
    assert alone.written() == {**every.written(), "one_class": True}
