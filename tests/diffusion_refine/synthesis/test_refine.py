"""Refining a dataset: what stays, what changes, what is refused, and that a stopped run ends in the same bytes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, gaussian_filter

from diffusion_refine.core.models import Model
from diffusion_refine.editing.label_check import Limits, Verdict
from diffusion_refine.editing.painting import Painted, PaintSettings, hole_of, unseen_share
from diffusion_refine.editing.realism import RealismSettings
from diffusion_refine.editing.relabelling import RelabelSettings
from diffusion_refine.editing.word_swap import SwapSettings
from diffusion_refine.synthesis import attempts
from diffusion_refine.synthesis.generator import FrameStream, GeneratedFrame, SourceFrame
from diffusion_refine.synthesis.loop import carry_out, frame_of
from diffusion_refine.synthesis.refine import drawing, replacing
from diffusion_refine.synthesis.refine import generator as generator_module
from diffusion_refine.synthesis.refine.drawing import Drawer, drawer_for
from diffusion_refine.synthesis.refine.generator import RefineGenerator
from diffusion_refine.synthesis.refine.method import refine_synthesis
from diffusion_refine.synthesis.refine.records import digest_of
from diffusion_refine.synthesis.refine.settings import RefineSettings
from diffusion_refine.synthesis.refine.sites import sites_of
from diffusion_refine.synthesis.refine.summary import Summary, summary_of
from diffusion_refine.synthesis.refine.swap_words import SwapWords, class_of
from diffusion_refine.synthesis.refine.units import units_of
from diffusion_refine.training.holes import widen
from diffusion_refine.training.model_shapes import Shape, build_pipeline
from procgen.errors import BlemishError
from procgen.surface.layer import Instance
from scenes import Dataset, DatasetError, DatasetWriter, Recipe, draw, load_recipe
from scenes.datasets.relabelling import label_counts, masks_before
from scenes.jobs.progress import Progress

FRAMES, SEED = 3, 5
LENIENT = Limits(visible=0.0, in_place=0.0, stray=1e9, spill=1e9, swap=0.0)  # random weights make no defects
QUICK = RefineSettings(RealismSettings(defect=0.5, steps=4), SwapSettings(steps=4), LENIENT, seed=7)


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    fields: dict[str, Any] = load_recipe("plate").model_dump(mode="json")
    fields["camera"]["resolution"] = [80, 64]
    return Recipe.model_validate(fields)


def write_source(folder: Path, recipe: Recipe, dtype: type = np.uint8, channels: tuple[int, ...] = (3,)) -> Dataset:
    """Three frames of ground metal: two cracks and a stain, nothing, and one crack."""
    writer = DatasetWriter(folder, recipe, SEED, FRAMES, samples=8)
    crack, stain = (recipe.class_bits[name] for name in ("crack", "water_stain"))
    for index in range(FRAMES):
        rng = np.random.default_rng(index)
        picture = 0.5 + 0.03 * gaussian_filter(rng.normal(size=(64, 80, *channels)), (0, 4, *(0 for _ in channels)))
        defects, impurities = np.zeros((2, 64, 80), np.uint16)
        instances = []
        if index != 1:
            defects[20:23, 15:40] = 1
            instances.append(Instance(1, "defect", "crack"))
        if index == 0:
            defects[45:58, 66:69] = 2
            impurities[40:60, 10:30] = 1
            instances += [Instance(2, "defect", "crack"), Instance(1, "impurity", "water_stain")]
        picture[defects > 0] -= 0.25
        classes = (defects > 0) * np.uint16(1 << crack) | (impurities > 0) * np.uint16(1 << stain)
        image = np.rint(np.clip(picture, 0, 1) * np.iinfo(dtype).max).astype(dtype)
        writer.write(index, image, classes, defects, impurities, draw(recipe, SEED, index), instances)
    writer.finish()
    return Dataset(folder)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> Dataset:
    return write_source(tmp_path_factory.mktemp("source") / "data", recipe)


@pytest.fixture(scope="module")
def model() -> Model:
    return small_model()


def small_model(seed: int = 0) -> Model:
    """Of the embedded model's kind, untrained."""
    shape = Shape(size=64, autoencoder=(16, 32, 48), unet=(16, 16, 32), head=8, text=32, text_layers=1)
    return Model(build_pipeline(shape, seed), "small")


def refine_dataset(
    source: Dataset, out: Path, model: Model, settings: RefineSettings, progress: Progress = lambda *_: None
) -> tuple[Dataset, Summary]:
    refined = carry_out(refine_synthesis(source, model, settings), out, progress)
    return refined, summary_of(refined)


def refined_frame(
    source: Dataset, model: Model, settings: RefineSettings, number: int, variant: int = 0
) -> GeneratedFrame:
    return frame_of(refine_synthesis(source, model, settings), source[number], variant)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_masks_stay_pictures_change_at_defects_alone_and_every_frame_says_how(
    source: Dataset, model: Model, tmp_path: Path
) -> None:
    refined, summary = refine_dataset(source, tmp_path / "out", model, QUICK)
    assert refined.complete
    assert refined.classes == source.classes
    assert dict(summary.frames) == {"refined": 2, "nothing to refine": 1}
    for before, after in zip(source, refined, strict=True):
        for name in ("classes", "defects", "impurities"):
            np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
        assert after.scene == before.scene
        assert after.instances == before.instances
        near = binary_dilation(before.defects > 0, np.ones((3, 3)), iterations=QUICK.realism.band + 1)
        np.testing.assert_array_equal(after.image[~near], before.image[~near])
        record = after.refinement
        assert record is not None
        assert record["parents"][0]["frame"] == before.index
        assert record["seed"] == 7
        assert record["model"]["sha256"] == digest_of(model)
        if before.defects.any():
            assert (after.image != before.image).any()
            assert record["prompts"] == ["photo of a crack defect on a ground plate"]
            assert record["metrics"]["background_psnr"] > 20
            assert 0 < record["metrics"]["mask_edit_iou"] <= 1
            assert len(record["checks"]) == len(before.instances) - (before.index == 0)
        else:
            np.testing.assert_array_equal(after.image, before.image)
            assert record["outcome"] == "nothing to refine"
            assert record["metrics"]["psnr"] is None
    assert (tmp_path / "out" / "annotations.json").is_file()
    assert refined.header.settings["samples"] == 8


class Stopped(Exception):
    """Stands for whatever ends a run."""


def test_a_stopped_run_goes_on_and_ends_in_the_same_bytes(source: Dataset, model: Model, tmp_path: Path) -> None:
    settings = replace(QUICK, variants=1)
    refine_dataset(source, tmp_path / "whole", model, settings)
    for stop in (1, 2, 1):

        def progress(what: str, done: int, total: int, stop: int = stop) -> None:
            if done == stop:
                raise Stopped

        with pytest.raises(Stopped):
            refine_dataset(source, tmp_path / "parts", model, settings, progress)
    assert not Dataset(tmp_path / "parts").complete
    refine_dataset(source, tmp_path / "parts", model, settings)
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_what_the_label_check_refuses_stays_as_rendered_and_is_counted(
    source: Dataset, model: Model, tmp_path: Path
) -> None:
    settings = replace(QUICK, limits=Limits(visible=1e6), attempts=2)
    refined, summary = refine_dataset(source, tmp_path / "out", model, settings)
    assert dict(summary.frames) == {"kept": 2, "nothing to refine": 1}
    assert summary.refused == 2 * 3
    for before, after in zip(source, refined, strict=True):
        np.testing.assert_array_equal(after.image, before.image)
    record = refined[0].refinement
    assert record is not None
    assert record["attempts"] == 2
    assert {entry["attempt"] for entry in record["refused"]} == {0, 1}
    assert "visible" in record["refused"][0]["reason"]


def test_only_the_defect_that_is_refused_is_tried_again_and_with_other_noise(
    source: Dataset, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def evaluate(before: np.ndarray, after: np.ndarray, ids: np.ndarray, *_: object) -> tuple[Verdict, ...]:
        tried.append(after)
        return tuple(Verdict(int(n), n == 1 or len(tried) > 2) for n in np.unique(ids[ids > 0]))

    monkeypatch.setattr(attempts, "check", evaluate)
    made = refined_frame(source, model, QUICK, 0)
    assert made.record["outcome"] == "refined"
    assert made.record["attempts"] == 3
    assert [entry["instance"] for entry in made.record["refused"]] == [2, 2]
    first, second = (source[0].defects == number for number in (1, 2))
    np.testing.assert_array_equal(tried[0][first], tried[2][first])
    assert (tried[0][second] != tried[1][second]).any()
    assert (tried[1][second] != tried[2][second]).any()


def test_variants_swap_the_class_and_keep_the_mask(source: Dataset, model: Model, tmp_path: Path) -> None:
    settings = replace(QUICK, variants=2, words=("scratch", "dent"))
    refined, _ = refine_dataset(source, tmp_path / "out", model, settings)
    assert len(refined) == FRAMES + 2 * 2
    assert list(refined.classes)[: len(source.classes)] == list(source.classes)
    assert {"scratch", "dent"} <= set(refined.classes)
    seen = set()
    for index, parent in zip(range(FRAMES, FRAMES + 4), (0, 2, 0, 2), strict=True):
        before, after = source[parent], refined[index]
        record = after.refinement
        assert record is not None
        assert record["parents"][0]["frame"] == parent
        assert record["method"] == "direct"
        np.testing.assert_array_equal(after.defects, before.defects)
        np.testing.assert_array_equal(after.impurities, before.impurities)
        (name,) = {i.class_name for i in after.instances if i.family == "defect"}
        assert [entry["to"] for entry in record["swapped"]] == [name] * int(before.defects.max())
        seen.add((parent, name))
        bit = refined.classes[name]
        np.testing.assert_array_equal(after.classes >> bit & 1, before.defects > 0)
        assert not (after.classes >> refined.classes["crack"] & 1).any()
        stain = refined.classes["water_stain"]
        np.testing.assert_array_equal(after.classes >> stain & 1, before.classes >> stain & 1)
        assert any(f"photo of a {name} defect" in prompt for prompt in record["prompts"])
    assert seen == {(parent, name) for parent in (0, 2) for name in ("scratch", "dent")}
    categories = json.loads((tmp_path / "out" / "annotations.json").read_bytes())["categories"]
    assert {"scratch", "dent"} <= {category["name"] for category in categories}


def test_more_variants_extend_a_dataset(source: Dataset, model: Model, tmp_path: Path) -> None:
    one = replace(QUICK, variants=1, words=("scratch", "dent"))
    refine_dataset(source, tmp_path / "out", model, one)
    before = contents(tmp_path / "out" / "scenes")
    refine_dataset(source, tmp_path / "out", model, replace(one, variants=2))
    refine_dataset(source, tmp_path / "new", model, replace(one, variants=2))
    assert before.items() < contents(tmp_path / "out" / "scenes").items()
    assert contents(tmp_path / "out") == contents(tmp_path / "new")


def test_a_swap_that_is_refused_takes_the_next_word_and_keeps_its_class_in_the_end(
    source: Dataset, model: Model
) -> None:
    settings = replace(QUICK, variants=1, words=("scratch", "dent"), limits=Limits(visible=1e6), attempts=2)
    made = refined_frame(source, model, settings, 2, 1)
    assert sorted(entry["word"] for entry in made.record["refused"]) == ["dent", "scratch"]
    assert made.record["outcome"] == "kept"
    assert made.record["swapped"] == []
    assert made.instances == source[2].instances
    np.testing.assert_array_equal(made.image, source[2].image)
    np.testing.assert_array_equal(made.classes, source[2].classes)


def test_a_word_that_changes_nothing_changes_no_class(source: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RefineGenerator, "swapped", lambda generator, picture, *_: np.zeros_like(picture))
    settings = RefineSettings(
        RealismSettings(defect=0.0, steps=4), SwapSettings(steps=4), variants=1, words=("dent",), attempts=2
    )
    made = refined_frame(source, small_model(), settings, 2, 1)
    assert made.record["outcome"] == "kept"
    assert [entry["reason"] for entry in made.record["refused"]] == ["swap 0.00 below 0.5"] * 2
    assert made.instances == source[2].instances
    np.testing.assert_array_equal(made.classes, source[2].classes)


def test_every_attempt_at_a_swap_is_freer_and_the_picture_is_inverted_once(
    source: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, model = [], small_model()
    swap_words = generator_module.swap_words

    def seen(*arguments: Any, **named: Any) -> Any:
        given.append(arguments[5])
        return swap_words(*arguments, **named)

    monkeypatch.setattr(generator_module, "swap_words", seen)
    never = Limits(visible=1e6)
    settings = RefineSettings(
        RealismSettings(defect=0.0, steps=4), SwapSettings(steps=4), never, 1, ("dent",), attempts=4
    )
    made = refined_frame(source, model, settings, 2, 1)
    assert made.record["outcome"] == "kept"
    windows = len(given) // 4
    assert [swap.cross for swap in given[::windows]] == pytest.approx([0.8, 0.6, 0.4, 0.2])
    assert [swap.self_share for swap in given[::windows]] == pytest.approx([0.6, 0.45, 0.3, 0.15])
    assert model.calls.forwards == windows * (4 + 4 * 4), "steps of one inversion and four swaps"


@pytest.mark.parametrize(("dtype", "channels"), [(np.uint16, ()), (np.uint8, ()), (np.uint16, (3,))])
def test_grey_and_deep_frames_stay_what_they_are(
    recipe: Recipe, model: Model, tmp_path: Path, dtype: type, channels: tuple[int, ...]
) -> None:
    source = write_source(tmp_path / "in", recipe, dtype, channels)
    refined, _ = refine_dataset(source, tmp_path / "out", model, QUICK)
    for before, after in zip(source, refined, strict=True):
        assert after.image.dtype == dtype
        assert after.image.shape == before.image.shape
    assert (refined[0].image != source[0].image).any()


def test_with_background_the_whole_frame_changes_even_without_a_defect(source: Dataset, model: Model) -> None:
    settings = replace(QUICK, realism=RealismSettings(defect=0.5, background=0.25, steps=4))
    made = refined_frame(source, model, settings, 1)
    assert made.record["outcome"] == "refined"
    assert (made.image != source[1].image).mean() > 0.5
    assert made.record["prompts"] == ["photo of a good ground plate"]


def test_a_refined_dataset_is_refined_again_and_names_all_its_parents(
    source: Dataset, model: Model, tmp_path: Path
) -> None:
    once, _ = refine_dataset(source, tmp_path / "once", model, replace(QUICK, variants=1, words=("dent",)))
    twice, _ = refine_dataset(once, tmp_path / "twice", model, QUICK)
    assert twice.classes == once.classes
    record = twice[FRAMES].refinement
    assert record is not None
    assert [parent["frame"] for parent in record["parents"]] == [FRAMES, 0]
    assert [i.class_name for i in twice[FRAMES].instances] == [i.class_name for i in once[FRAMES].instances]


def test_what_cannot_be_refined_is_told_before_anything_is_written(
    source: Dataset, model: Model, recipe: Recipe, tmp_path: Path
) -> None:
    with pytest.raises(BlemishError, match="another folder"):
        refine_dataset(source, source.path, model, QUICK)
    writer = DatasetWriter(tmp_path / "part", recipe, 1, 2)
    blank = np.zeros((64, 80), np.uint16)
    writer.write(0, np.zeros((64, 80), np.uint8), blank, blank, blank, draw(recipe, 1, 0), ())
    with pytest.raises(BlemishError, match="1 of 2 frames"):
        refine_dataset(Dataset(tmp_path / "part"), tmp_path / "out", model, QUICK)
    writer.write(1, np.zeros((64, 80), np.uint8), blank, blank, blank, draw(recipe, 1, 1), ())
    with pytest.raises(BlemishError, match="no defect"):
        refine_dataset(Dataset(tmp_path / "part"), tmp_path / "out", model, replace(QUICK, variants=1))
    assert not (tmp_path / "out").exists()


def test_another_model_or_strength_in_the_same_folder_is_refused(source: Dataset, model: Model, tmp_path: Path) -> None:
    refine_dataset(source, tmp_path / "out", model, QUICK)
    with pytest.raises(DatasetError, match=r"refined\.model\.sha256"):
        refine_dataset(source, tmp_path / "out", small_model(seed=1), QUICK)
    with pytest.raises(DatasetError, match=r"refined\.realism\.defect"):
        refine_dataset(source, tmp_path / "out", model, replace(QUICK, realism=RealismSettings(defect=0.6, steps=4)))


def test_units_are_what_touches_and_what_one_defect_joins() -> None:
    defects = np.zeros((60, 120), np.uint16)
    defects[10, 10], defects[10, 20], defects[50, 100] = 1, 2, 3  # the bands of 1 and 2 meet
    defects[10, 70] = defects[40, 20] = 4  # one defect in two places
    units = units_of(defects, RealismSettings(band=6))
    assert units[10, 10] == units[10, 20] != 0
    assert units[10, 70] == units[40, 20] != 0
    assert len({units[10, 10], units[50, 100], units[10, 70], 0}) == 4
    assert units.max() == 3
    assert (units_of(defects, RealismSettings(background=0.1)) == 1).all()
    assert not units_of(np.zeros((5, 5), np.uint16), RealismSettings()).any()


def test_words_become_classes_of_the_dataset_before_any_other() -> None:
    assert class_of("crack", {"branching_crack": "defect"}) == "branching_crack"
    assert class_of("crack", {"scratch": "defect"}) == "crack"
    assert class_of("chip", {}) == "chipped_edge"
    assert class_of("stain", {"water_stain": "impurity"}) == "stain"
    assert class_of("missing hole", {}) == "missing_hole"
    assert class_of("cold shut", {}) == "cold_shut"


class Growing:
    """An edit whose extent is known: defects in the mask are drawn anew with `grown` pixels more to every side."""

    def __init__(self, grown: int) -> None:
        self.grown = grown

    def generate(self, frame: SourceFrame, mask: np.ndarray, stream: FrameStream) -> GeneratedFrame:
        shown = (frame.defects > 0) & mask
        image = frame.image.copy()
        image[shown] = np.median(frame.image[~(frame.defects > 0)])
        image[resized(shown, self.grown)] = 66
        return GeneratedFrame(image, frame.classes, frame.defects, frame.impurities, frame.instances)

    def described(self, variant: int) -> dict[str, Any]:
        return {"method": "growing"}


def resized(mask: np.ndarray, grown: int) -> np.ndarray:
    if grown < 0:
        return ~binary_dilation(~mask, np.ones((3, 3)), iterations=-grown)
    return binary_dilation(mask, np.ones((3, 3)), iterations=grown) if grown else mask


@pytest.fixture(scope="module")
def painter() -> Model:
    """Untrained; the word makes a difference to what it paints."""
    shape = Shape(size=64, autoencoder=(16, 32, 48), unet=(16, 16, 32), head=8, text=32, text_layers=1)
    pipeline = build_pipeline(shape, 1)
    widen(pipeline.unet, shape.latent_channels)
    return Model(pipeline, "small painter")


DRAWING = replace(QUICK, variants=2, words=("rust", "dent"), paint=PaintSettings(steps=3), limits=None)
PAINTING = replace(DRAWING, paint=PaintSettings(steps=3, drawn=False))


@pytest.mark.parametrize("settings", [DRAWING, PAINTING], ids=["drawn", "painted"])
def test_what_is_drawn_or_painted_lies_in_a_hole_for_the_old_defect_and_has_a_mask_of_its_own(
    source: Dataset, model: Model, painter: Model, tmp_path: Path, settings: RefineSettings
) -> None:
    made = carry_out(refine_synthesis(source, model, settings, painter), tmp_path / "out")
    plain = carry_out(refine_synthesis(source, model, replace(QUICK, variants=0)), tmp_path / "plain")
    for before, after in zip(plain, made, strict=False):
        np.testing.assert_array_equal(before.image, after.image)  # a painter makes variants alone
    variants = [frame for frame in made if frame.refinement and frame.refinement["variant"]]
    assert len(variants) == 4
    moved = 0
    for after in variants:
        record = after.refinement
        assert record is not None
        assert record["method"] == ("drawing" if settings.paint.drawn else "painting")
        assert record["painter"]["name"] == "small painter"
        before = source[record["parents"][0]["frame"]]
        changed = (after.image != before.image).any(axis=2)
        hole = hole_of(before.defects > 0, settings.paint)
        near = binary_dilation(hole, np.ones((3, 3)), iterations=settings.paint.band + 1)
        np.testing.assert_array_equal(changed & ~near, False)
        assert hole[after.defects > 0].all()
        of_instances = {instance.id: instance.class_name for instance in after.instances if instance.family == "defect"}
        for number, name in of_instances.items():
            mask = after.defects == number
            assert (after.classes[mask] >> made.classes[name] & 1).all()
        for entry in record["swapped"]:
            assert of_instances[entry["instance"]] == entry["to"]
            assert any(entry["word"] in prompt for prompt in record["prompts"])
            old = masks_before(after)[entry["instance"]]
            np.testing.assert_array_equal(old, before.defects == entry["instance"])
            moved += 1
        unlabelled = (after.defects == 0) & (after.impurities == 0)
        assert not after.classes[unlabelled].any()
    assert moved
    assert sum(counts["re-labelled"] for counts in label_counts(made).values()) == moved


@pytest.mark.parametrize(("settings", "other"), [(DRAWING, PAINTING), (PAINTING, DRAWING)], ids=["drawn", "painted"])
def test_stopped_variants_go_on_and_end_in_the_same_bytes(
    source: Dataset, model: Model, painter: Model, tmp_path: Path, settings: RefineSettings, other: RefineSettings
) -> None:
    synthesis = refine_synthesis(source, model, settings, painter)
    whole = carry_out(synthesis, tmp_path / "whole")

    def stop(what: str, done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(synthesis, tmp_path / "stopped", stop)
    again = carry_out(refine_synthesis(source, model, settings, painter), tmp_path / "stopped")
    assert contents(again.path) == contents(whole.path)
    for differently in (refine_synthesis(source, model, settings), refine_synthesis(source, model, other, painter)):
        with pytest.raises(DatasetError, match="begun differently"):
            carry_out(differently, tmp_path / "stopped")


def test_what_no_recipe_draws_is_painted(
    source: Dataset, model: Model, painter: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def noted(word: str, recipe: Recipe) -> Drawer | None:
        asked.append(word)
        return drawer_for(word, recipe)

    monkeypatch.setattr(generator_module, "drawer_for", noted)
    settings = replace(DRAWING, words=("chip",), attempts=1)  # of a border
    drawn, painted = (
        refined_frame_of(source, model, replace(settings, paint=replace(settings.paint, drawn=drawn)), painter)
        for drawn in (True, False)
    )
    assert asked == ["chip"]
    np.testing.assert_array_equal(drawn.image, painted.image)
    np.testing.assert_array_equal(drawn.defects, painted.defects)


def test_variants_become_what_can_be_drawn_unless_a_word_is_given(
    source: Dataset, model: Model, painter: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "drawer_for", lambda word, recipe: word == "dent" or None)

    def offered(words: tuple[str, ...] = (), drawn: bool = True, by: Model | None = painter) -> set[str]:
        settings = replace(DRAWING, words=words, paint=replace(DRAWING.paint, drawn=drawn))
        generator = refine_synthesis(source, model, settings, by).generator
        assert isinstance(generator, RefineGenerator)
        return {word for word, _ in generator.words.offered["crack"]}

    assert offered() == {"dent"}
    assert {"dent", "pit"} < offered(drawn=False) == offered(by=None)
    assert offered(words=("pit", "glow")) == {"pit", "glow"}


def test_words_that_are_all_beyond_drawing_are_painted(source: Dataset) -> None:
    words = SwapWords(source, drawable=lambda word: False)
    assert words.offered == SwapWords(source).offered
    assert any(words.offered.values())


def test_a_hole_without_room_for_a_drawing_stays_as_it_was(
    source: Dataset, model: Model, painter: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replacing, "drawn_into", lambda *_: None)
    made = refined_frame_of(source, model, replace(DRAWING, attempts=1), painter)
    np.testing.assert_array_equal(made.image, source[0].image)
    np.testing.assert_array_equal(made.defects, source[0].defects)
    assert {entry["reason"] for entry in made.record["refused"]} == {"its mask was not found again"}


def test_a_painter_that_paints_nothing_is_refused_though_nothing_else_is_checked(
    source: Dataset, model: Model, painter: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = Painted(np.full((64, 80, 3), 0.1), np.full((64, 80, 3), 0.1))
    monkeypatch.setattr(replacing, "painted", lambda *_: nothing)
    made = refined_frame_of(source, model, PAINTING, painter)
    np.testing.assert_array_equal(made.image, source[0].image)
    np.testing.assert_array_equal(made.defects, source[0].defects)
    assert {entry["reason"] for entry in made.record["refused"]} == {"its mask was not found again"}


def test_a_surface_that_stands_out_is_refused(source: Dataset, model: Model, painter: Model) -> None:
    made = refined_frame_of(source, model, replace(PAINTING, limits=LENIENT, attempts=2), painter)  # it has not learnt
    np.testing.assert_array_equal(made.image, source[0].image)
    assert made.record["outcome"] == "kept"
    assert {entry["attempt"] for entry in made.record["refused"]} == {0, 1}
    assert any(entry["reason"].startswith("surface ") for entry in made.record["refused"])


@pytest.mark.parametrize("settings", [DRAWING, PAINTING], ids=["drawn", "painted"])
def test_a_hole_round_which_the_painter_sees_too_little_is_refused(
    source: Dataset, model: Model, painter: Model, monkeypatch: pytest.MonkeyPatch, settings: RefineSettings
) -> None:
    hole = hole_of(source[0].defects == 1, settings.paint) | hole_of(source[0].defects == 2, settings.paint)
    share = unseen_share(hole, painter, settings.paint)
    assert share == pytest.approx(max(hole[:64, left : left + 64].mean() for left in (0, 16)), rel=0.2)
    monkeypatch.setattr(generator_module, "SEEN", 1 - share / 2)
    made = refined_frame_of(source, model, replace(settings, limits=LENIENT, attempts=2), painter)
    np.testing.assert_array_equal(made.image, source[0].image)
    assert {entry["reason"] for entry in made.record["refused"]} == {
        f"hole {share:.2f} of a window, above {share / 2:g}"
    }


def test_a_cluster_becomes_one_defect_and_the_others_of_it_are_gone(
    recipe: Recipe, model: Model, painter: Model, tmp_path: Path
) -> None:
    writer = DatasetWriter(tmp_path / "specks", recipe, SEED, 1, samples=8)
    bit, rng = recipe.class_bits["crack"], np.random.default_rng(0)
    picture, ids = rng.normal(0.5, 0.02, (64, 80, 3)), np.zeros((64, 80), np.uint16)
    places = [(10, 10), (10, 24), (22, 16), (20, 30), (52, 66)]  # four near each other, the second the largest
    for number, (row, column) in enumerate(places, start=1):
        ids[row : row + 3 + (number == 2), column : column + 3] = number
    picture[ids > 0] -= 0.3
    image = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    instances = [Instance(number, "defect", "crack") for number in range(1, 6)]
    classes, none = (ids > 0) * np.uint16(1 << bit), np.zeros_like(ids)
    writer.write(0, image, classes, ids, none, draw(recipe, SEED, 0), instances)
    writer.finish()
    made = carry_out(
        refine_synthesis(Dataset(tmp_path / "specks"), model, replace(DRAWING, variants=1), painter), tmp_path / "out"
    )
    before, after = made
    assert [instance.id for instance in before.instances] == [1, 2, 3, 4, 5]
    left = {instance.id: instance.class_name for instance in after.instances}
    assert set(left) == set(np.unique(after.defects[after.defects > 0])) == {2, 5}
    for number, name in left.items():
        assert (after.classes[after.defects == number] == 1 << made.classes[name]).all()
    np.testing.assert_array_equal(after.classes > 0, after.defects > 0)
    assert {entry["instance"] for entry in after.refinement["swapped"]} == {2, 5}
    entries = {entry["instance"]: entry for entry in after.refinement["labels"]["found_again"]}
    assert {number: entry.get("into") for number, entry in entries.items()} == {1: 2, 2: None, 3: 2, 4: 2, 5: None}
    for number, old in masks_before(after).items():
        np.testing.assert_array_equal(old, ids == number)
    assert sum(sum(counts.values()) for counts in label_counts(made).values()) >= 2
    rows, columns = np.nonzero(after.defects == 2)
    assert rows.min() >= 6
    assert rows.max() <= 28
    assert columns.min() >= 6
    assert columns.max() <= 38


def test_painted_defects_stay_apart(recipe: Recipe) -> None:
    ids = np.zeros((40, 60), np.uint16)
    ids[10:13, 10:13], ids[10:14, 22:25], ids[30:33, 50:53] = 1, 2, 3
    apart = sites_of(ids, [1, 2, 3], PaintSettings(), together=False)
    assert [site.numbers for site in apart] == [(1,), (2,), (3,)]
    for site in apart:
        np.testing.assert_array_equal(site.room, hole_of(ids == site.number))
    near = sites_of(ids, [1, 2, 3], PaintSettings(), together=True)
    assert sorted(site.numbers for site in near) == [(2, 1), (3,)]
    both = next(site for site in near if len(site.numbers) == 2)
    np.testing.assert_array_equal(both.hole, hole_of(ids == 1) | hole_of(ids == 2))
    assert (both.room & ~both.hole).any()
    assert both.room[12, 17]  # between the two


def refined_frame_of(source: Dataset, model: Model, settings: RefineSettings, painter: Model) -> GeneratedFrame:
    return frame_of(refine_synthesis(source, model, settings, painter), source[0], 1)


@pytest.mark.parametrize("grown", [-1, 0, 2])
def test_masks_are_found_again_where_edges_moved_and_the_old_ones_stay_beside_them(
    source: Dataset, model: Model, tmp_path: Path, grown: int
) -> None:
    limits = Limits(visible=0, in_place=0, stray=1e9, spill=1e9)
    settings = replace(QUICK, limits=limits, relabel=RelabelSettings(), realism=RealismSettings(band=3))
    synthesis = replace(refine_synthesis(source, model, settings), generator=Growing(grown))
    made = carry_out(synthesis, tmp_path / "out")
    crack = source.classes["crack"]
    stain = source.classes["water_stain"]
    for before, after in zip(source, made, strict=True):
        for number in {1, 2} & set(np.unique(before.defects).tolist()):
            expected, found = resized(before.defects == number, grown), after.defects == number
            assert (expected & found).sum() / (expected | found).sum() > 0.9
        np.testing.assert_array_equal(after.classes >> crack & 1, after.defects > 0)
        np.testing.assert_array_equal(after.classes >> stain & 1, before.impurities > 0)
        old = masks_before(after)
        assert set(old) == ({1, 2} & set(np.unique(before.defects).tolist()) if grown else set())
        for number, mask in old.items():
            np.testing.assert_array_equal(mask, before.defects == number)
    counts = label_counts(made)
    assert counts == {"crack": {"re-labelled" if grown else "kept": 3}}
    printed = synthesis.report(made)
    assert [line.split() for line in printed if "crack" in line] == [
        ["crack", "0", "3", "0"] if grown else ["crack", "3", "0", "0"]
    ]
    assert any(line.startswith("threshold") for line in printed) is bool(grown)
    boxes = json.loads((tmp_path / "out" / "annotations.json").read_bytes())["annotations"]
    assert sum(box["area"] for box in boxes if box["category_id"] == crack + 1) == sum(
        np.count_nonzero(frame.defects) for frame in made
    )


def test_an_edit_that_heals_a_defect_is_refused_though_nothing_else_is_checked(source: Dataset, model: Model) -> None:
    settings = replace(QUICK, limits=None, relabel=RelabelSettings(), attempts=2)
    synthesis = replace(refine_synthesis(source, model, settings), generator=Growing(-5))
    made = frame_of(synthesis, source[0])
    np.testing.assert_array_equal(made.image, source[0].image)
    np.testing.assert_array_equal(made.defects, source[0].defects)
    assert made.record["labels"]["outcomes"] == {"1": "refused", "2": "refused"}
    assert {entry["reason"] for entry in made.record["refused"]} == {"its mask was not found again"}


def test_a_word_alone_makes_a_dataset_of_its_variants_with_the_classes_as_they_were(
    source: Dataset, model: Model, tmp_path: Path
) -> None:
    settings = replace(QUICK, variants=1, words=("rust",), originals=False, keep_classes=True)
    made, _ = refine_dataset(source, tmp_path / "rust", model, settings)
    assert made.classes == source.classes
    assert len(made) == 2  # frames 0 and 2 show defects
    for before, after in zip((source[0], source[2]), made, strict=True):
        record = after.refinement
        assert record is not None
        assert record["parents"][0]["frame"] == before.index
        assert {(entry["from"], entry["to"], entry["word"]) for entry in record["swapped"]} == {
            ("crack", "crack", "rust")
        }
        assert any("rust defect" in prompt for prompt in record["prompts"])
        np.testing.assert_array_equal(after.classes, before.classes)
    together, _ = refine_dataset(
        source, tmp_path / "both", model, replace(settings, words=("rust", "dent"), variants=2)
    )
    assert {frame.refinement["swapped"][0]["word"] for frame in together if frame.refinement} == {"rust", "dent"}
    assert len(together) == 4
    with pytest.raises(DatasetError, match="begun differently"):
        refine_dataset(source, tmp_path / "rust", model, replace(settings, keep_classes=False))
