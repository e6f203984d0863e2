"""The embedded tokenizer, against the vocabulary of prompts and on texts that nobody planned."""

from pathlib import Path

import pytest
from transformers import CLIPTokenizer

from diffusion_refine.prompts.vocabulary import vocabulary
from diffusion_refine.training.tokenizer import IN_TWO, LENGTH, build_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> CLIPTokenizer:
    return build_tokenizer()


def test_every_word_is_one_token_but_the_one_of_two(tokenizer: CLIPTokenizer) -> None:
    several = {word: tokenizer.tokenize(word) for word in vocabulary() if len(tokenizer.tokenize(word)) != 1}
    assert several == {"mousebite": ["mouse", "bite</w>"]}
    assert set(IN_TWO) <= set(vocabulary())


@pytest.mark.parametrize("text", ["photo of a mousebite defect on a laminate board", "zebra 42, quite new!", "é ü ß ±"])
def test_any_text_comes_back(tokenizer: CLIPTokenizer, text: str) -> None:
    ids = tokenizer(text)["input_ids"]
    assert ids[0] == tokenizer.bos_token_id
    assert ids[-1] == tokenizer.eos_token_id
    spaced = tokenizer.decode(ids, skip_special_tokens=True)
    assert spaced.replace(" ", "") == text.replace(" ", "")


def test_words_that_share_letters_stay_whole() -> None:
    """A merge that one word needs must not break another that was learnt before or after it."""
    words = ["hole", "blowhole", "pinhole", "pin", "spurious", "spur", "ground", "round"]
    for order in (words, words[::-1]):
        tokenizer = build_tokenizer(order)
        assert [tokenizer.tokenize(word) for word in words] == [[f"{word}</w>"] for word in words]


def test_saved_and_loaded_it_reads_the_same(tokenizer: CLIPTokenizer, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)
    again = CLIPTokenizer.from_pretrained(tmp_path)
    text = "photo of a mousebite defect on a sandblasted plate with an unheard of word"
    padded = [one(text, padding="max_length", truncation=True)["input_ids"] for one in (tokenizer, again)]
    assert padded[0] == padded[1]
    assert len(padded[0]) == LENGTH
    assert again.pad_token == tokenizer.pad_token
