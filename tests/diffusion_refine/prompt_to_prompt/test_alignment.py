"""Alignment of tokens, beside searches that try everything."""

import copy
from functools import cache
from itertools import pairwise, product

import numpy as np
import pytest
from transformers import CLIPTokenizer

from diffusion_refine.core.models import Model
from diffusion_refine.prompt_to_prompt.alignment import (
    Tokens,
    changes,
    common_subsequence,
    equaliser,
    refinement,
    replacement,
    tokens_of,
    unchanged,
)
from procgen.errors import BlemishError

PROMPT = "photo of a crack defect on a ground plate"  # every word is one token


@pytest.fixture(scope="module")
def tokenizer(tiny_model) -> CLIPTokenizer:
    return tiny_model("sd15").pipeline.tokenizer


def brute_force_replacement(source: Tokens, target: Tokens, pairs: list[tuple[list[int], list[int]]]) -> np.ndarray:
    """The mapping cell by cell, from pairs of (source words, target words) written by hand."""
    found = np.zeros((source.length, source.length))
    owner = {place: number for number, word in enumerate(source.places) for place in word}
    owned = {place: number for number, word in enumerate(target.places) for place in word}
    for i, j in product(range(source.length), repeat=2):
        for old, new in pairs:
            rows = [place for place in owner if owner[place] in old]
            columns = [place for place in owned if owned[place] in new]
            if i in rows and j in columns:
                same = len(rows) == len(columns)
                found[i, j] = float(rows.index(i) == columns.index(j)) if same else 1 / len(columns)
        after_i, after_j = i - (len(source.ids) - 1), j - (len(target.ids) - 1)
        if (i == j == 0) or (after_i >= 0 and after_j >= 0 and after_i == after_j):
            found[i, j] = 1
        if j == source.length - 1 and after_i > after_j:
            found[i, j] = 1
    return found


def one_by_one(count: int) -> list[tuple[list[int], list[int]]]:
    return [([k], [k]) for k in range(count)]


@pytest.mark.parametrize(
    ("old", "new", "pairs"),
    [
        (PROMPT, "photo of a dent defect on a ground plate", one_by_one(9)),
        (PROMPT, "photo of a blowhole defect on a ground tile", one_by_one(9)),
        ("photo of a blowhole defect", "photo of a crack defect", one_by_one(5)),
        ("photo of a mousebite, on a plate", "photo of a blowhole, on a tile", one_by_one(8)),
        ("photo of a crack on a plate", "photo of a spurious copper on a plate",
         [([0], [0]), ([1], [1]), ([2], [2]), ([3], [3, 4]), ([4], [5]), ([5], [6]), ([6], [7])]),
        ("photo of a missing hole", "photo of a dent", [([0], [0]), ([1], [1]), ([2], [2]), ([3, 4], [3])]),
    ],
)  # fmt: skip
def test_replacement_equals_brute_force(tokenizer, old: str, new: str, pairs: list) -> None:
    source, target = tokens_of(old, [tokenizer]), tokens_of(new, [tokenizer])
    found = replacement(source, target)
    np.testing.assert_allclose(found.mapping, brute_force_replacement(source, target, pairs))
    # No attention is lost or made: what the source gave to its tokens goes to the target's.
    np.testing.assert_allclose(found.mapping.sum(1), 1, rtol=1e-6)
    assert (found.share == 1).all()


def test_replacement_refuses_words_without_counterpart(tokenizer) -> None:
    with pytest.raises(BlemishError, match=r"'ground' has no counterpart.*refine"):
        replacement(tokens_of("a plate", [tokenizer]), tokens_of("a ground plate", [tokenizer]))


@cache
def longest(first: tuple[int, ...], second: tuple[int, ...]) -> int:
    """Length of the longest common subsequence, by trying every way."""
    if not first or not second:
        return 0
    if first[0] == second[0]:
        return max(1 + longest(first[1:], second[1:]), longest(first[1:], second), longest(first, second[1:]))
    return max(longest(first[1:], second), longest(first, second[1:]))


def test_common_subsequence_is_longest_on_random_sequences() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        first, second = (tuple(rng.integers(0, 4, rng.integers(0, 9))) for _ in range(2))
        pairs = common_subsequence(first, second)
        assert len(pairs) == longest(first, second)
        assert all(first[i] == second[j] for i, j in pairs)
        assert all(i < k and j < m for (i, j), (k, m) in pairwise(pairs))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("photo of a crack on a plate", "photo of a dark crack on a ground steel plate"),
        ("photo of a dark crack on a ground steel plate", "photo of a crack on a plate"),
        ("photo of a blowhole on a tile", "photo of a mousebite on a tile"),
        (PROMPT, PROMPT),
    ],
)
def test_refinement_keeps_common_tokens_and_leaves_new_ones_their_own(tokenizer, old: str, new: str) -> None:
    source, target = tokens_of(old, [tokenizer]), tokens_of(new, [tokenizer])
    found = refinement(source, target)
    kept = np.flatnonzero(found.share[: len(target.ids) - 1])
    assert len(kept) == longest(source.ids[:-1], target.ids[:-1])
    for j in range(source.length):
        (rows,) = np.nonzero(found.mapping[:, j])
        if j in kept:
            assert [source.ids[i] for i in rows] == [target.ids[j]]
        elif j < len(target.ids) - 1:
            assert found.share[j] == 0
            assert len(rows) == 0
        else:  # the mark of the end and the padding, made of such and of nothing else
            assert found.share[j] == 1
            assert (rows >= len(source.ids) - 1).all()
    assert found.mapping[len(source.ids) - 1, len(target.ids) - 1] == 1


def test_changes_are_the_words_that_differ_but_no_articles(tokenizer) -> None:
    source = tokens_of("a crack on a plate", [tokenizer])
    target = tokens_of("an image on a plate", [tokenizer])
    [(old, new)] = changes(source, target)
    assert (old, new) == (source.of("crack"), target.of("image"))
    [(old, new)] = changes(source, tokens_of("a crack on a ground plate", [tokenizer]))
    assert (old, new) == ([], [5])
    assert changes(source, source) == []


def test_of_one_prompt_to_itself_both_are_the_identity(tokenizer) -> None:
    tokens = tokens_of("photo of a blowhole, a mousebite", [tokenizer])
    for found in (replacement(tokens, tokens), refinement(tokens, tokens), unchanged(tokens)):
        np.testing.assert_array_equal(found.mapping, np.eye(77))
        assert (found.share == 1).all()


def test_places_are_those_of_the_ids(tokenizer) -> None:
    tokens = tokens_of("Photo of a Blowhole, a crack", [tokenizer])
    spelt = {word: [tokenizer.convert_ids_to_tokens(tokens.ids[place]).removesuffix("</w>") for place in places]
             for word, places in zip(tokens.words, tokens.places, strict=True)}  # fmt: skip
    assert {word: "".join(parts) for word, parts in spelt.items()} == {word: word for word in tokens.words}
    assert len(spelt["blowhole"]) > 1
    assert len(spelt["crack"]) == 1
    assert tokens.of("crack") == [len(tokens.ids) - 2]
    assert tokens.of("a") == [3, len(tokens.ids) - 3]
    factors = equaliser(tokens, {"crack": 2.0})
    assert np.flatnonzero(factors != 1).tolist() == tokens.of("crack")
    with pytest.raises(BlemishError, match="does not contain 'dent'"):
        tokens.of("dent")


def test_both_tokenizers_of_sdxl_are_read_once_and_must_agree(tiny_model) -> None:
    model: Model = tiny_model("sdxl")
    both = [model.pipeline.tokenizer, model.pipeline.tokenizer_2]
    padded = [tokenizer(PROMPT, padding="max_length", max_length=77)["input_ids"] for tokenizer in both]
    assert padded[0] != padded[1]  # they differ in padding
    tokens = tokens_of(PROMPT, both)
    for ids in padded:
        assert tuple(ids[: len(tokens.ids)]) == tokens.ids
    other = copy.deepcopy(both[1])
    other.add_tokens(["crack"])
    with pytest.raises(BlemishError, match="one reading"):
        tokens_of(PROMPT, [both[0], other])


def test_a_prompt_that_is_too_long_is_refused(tokenizer) -> None:
    with pytest.raises(BlemishError, match="has 82 tokens; the model reads 77"):
        tokens_of(" ".join(["crack"] * 80), [tokenizer])
