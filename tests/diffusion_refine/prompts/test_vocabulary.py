"""Words: the corpus covers what recipes and photographs know, and a swap changes one word and nothing else."""

import csv
from pathlib import Path

import pytest

from diffusion_refine.prompts import vocabulary as words
from procgen.errors import BlemishError

PROMPT = "photo of a scratch defect on a ground plate"


def test_every_word_of_a_defect_belongs_to_a_material() -> None:
    labels = {word for labels in words.LABELS.values() for word in labels.values()} - {"good"}
    assert labels | set(words.DEFECTS.values()) <= set(words.corpus())


def test_classes_have_the_words_of_their_kinds() -> None:
    """Datasets name classes, such as water_stain, and recipes kinds, such as water_stains."""
    assert (words.IMPURITIES["water_stain"], words.IMPURITIES["water_stains"]) == ("stain", "stain")
    assert (words.DEFECTS["crack"], words.DEFECTS["crazing"]) == ("crack", "crazing")
    assert {"rust", "corrosion", "wear", "crazing", "spurious copper", "dust", "oil", "chalk"} == words.UNCOUNTED


def test_every_label_of_the_photographs_has_a_word(real_data: Path) -> None:
    with (real_data / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        labels = [row["label"]] if row["label"] in words.LABELS[row["set"]] else row["label"].split("+")
        assert all(label in words.LABELS[row["set"]] for label in labels), row


def test_the_vocabulary_holds_every_prompt() -> None:
    vocabulary = words.vocabulary()
    for swap in [*words.swaps(PROMPT), *words.swaps("photo of a spurious copper defect on a laminate board")]:
        assert set(words.split(swap.new)) <= set(vocabulary)


def test_a_swap_changes_one_word_and_nothing_else() -> None:
    found = list(words.swaps(PROMPT))
    assert {swap.word for swap in found} == set(words.CORPUS["metal"]) - {"scratch"}
    for swap in found:
        assert swap.old == PROMPT
        assert swap.replaced == "scratch"
        article = "an" if swap.word == "inclusion" else "a"
        assert swap.new.split() == ["photo", "of", article, *swap.word.split(), "defect", "on", "a", "ground", "plate"]


def test_a_phrase_is_swapped_whole() -> None:
    found = {swap.word: swap.new for swap in words.swaps("photo of a spurious copper defect on a laminate board")}
    assert found["open"] == "photo of an open defect on a laminate board"
    assert words.swapped(found["open"], "open", "spur") == "photo of a spur defect on a laminate board"
    assert found["short"] == "photo of a short defect on a laminate board"
    assert found["missing hole"] == "photo of a missing hole defect on a laminate board"
    assert "spurious copper" not in found


def test_a_prompt_without_a_kind_has_its_defect_swapped_and_one_without_any_has_no_swaps() -> None:
    assert {swap.replaced for swap in words.swaps("Photo of a Defect image", "painted")} == {"defect"}
    assert "Photo of a peeling image" in {swap.new for swap in words.swaps("Photo of a Defect image", "painted")}
    assert list(words.swaps("photo of a good ground plate")) == []


def test_the_words_to_exchange_can_be_named() -> None:
    found = list(words.swaps("photo of a crack", "painted", ["photo", "crack"]))
    assert {swap.replaced for swap in found} == {"photo", "crack"}
    assert "corrosion of a crack" in {swap.new for swap in found}
    assert "photo of a blistering" in {swap.new for swap in found}


def test_words_within_words_stay() -> None:
    assert (
        words.swapped("photo of a pit in a pitted part, a pit", "pit", "dent")
        == "photo of a dent in a pitted part, a dent"
    )
    assert words.find(words.split("pinhole hole, hole"), "hole") == [1, 3]
    with pytest.raises(BlemishError, match="does not contain 'dent'"):
        words.swapped(PROMPT, "dent", "pit")
    with pytest.raises(BlemishError, match="known are metal"):
        words.corpus("cheese")
