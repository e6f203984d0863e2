"""Captions, against sentences written by hand for scenes that are known."""

import numpy as np
import pytest

from diffusion_refine.prompts.captions import Subject, caption, caption_of, classes_in
from diffusion_refine.prompts.vocabulary import split, vocabulary
from diffusion_refine.training.tokenizer import LENGTH, build_tokenizer
from scenes import draw, load_recipe


@pytest.mark.parametrize(
    ("subject", "told"),
    [
        (Subject("ground", "plate"), "photo of a good ground plate"),
        (Subject("ground", "plate", ("scratch",)), "photo of a scratch defect on a ground plate"),
        (
            Subject("milled", "ring", ("rust", "dent"), ("stain", "dust")),
            "photo of a rust defect and a dent defect on a milled ring with a stain and dust",
        ),
        (Subject("anodised", "plate", ("open",)), "photo of an open defect on an anodised plate"),
        (Subject("asphalt", "plate"), "photo of good asphalt"),
        (Subject("asphalt", "plate", ("crack",)), "photo of a crack defect on asphalt"),
    ],
)
def test_a_subject_reads_as_written_by_hand(subject: Subject, told: str) -> None:
    assert caption(subject) == told


def test_a_scene_is_captioned_by_what_is_in_sight() -> None:
    scene = draw(load_recipe("magnetic_tile"), 1, 0)
    assert caption_of(scene, []) == "photo of a good ground tile"
    assert caption_of(scene, ["crack"]) == "photo of a crack defect on a ground tile"
    assert caption_of(scene, ["blowhole", "water_stain"]) == "photo of a blowhole defect on a ground tile with a stain"


def test_a_scene_without_classes_is_captioned_by_its_layers() -> None:
    recipe = load_recipe("plate").only("scratch", "dust")
    told = {caption_of(draw(recipe, 2, index)) for index in range(30)}
    scratched, dusty = "photo of a scratch defect on a ground plate", "photo of a good ground plate with dust"
    assert told == {scratched, f"{scratched} with dust", "photo of a good ground plate", dusty}


@pytest.mark.parametrize("name", ["plate", "magnetic_tile", "asphalt", "ball_screw", "hot_strip", "rusting_steel"])
def test_captions_are_of_words_that_the_tokenizer_knows_and_fit(name: str) -> None:
    tokenizer = build_tokenizer()
    recipe = load_recipe(name)
    for index in range(10):
        told = caption_of(draw(recipe, 0, index), list(recipe.class_bits)[:3])
        assert set(split(told)) <= {*vocabulary(), "an"}
        assert len(tokenizer(told)["input_ids"]) <= LENGTH


def test_classes_are_counted_in_their_bits() -> None:
    mask = np.zeros((10, 10), np.uint16)
    mask[:2], mask[1:3, :5] = 1 << 3, (1 << 3) | (1 << 5)
    bits = {"crack": 3, "dent": 5, "rust": 0}
    assert classes_in(mask, bits) == ["crack", "dent"]
    assert classes_in(mask, bits, least=11) == ["crack"]
