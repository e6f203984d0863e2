"""A tokenizer of CLIP's kind that knows the words of `diffusion_refine.prompts.vocabulary` and spells every other
text in bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from transformers import CLIPTokenizer

from diffusion_refine.prompts.vocabulary import vocabulary

BEGIN, END = "<|startoftext|>", "<|endoftext|>"
LENGTH = 32  # tokens of a prompt with both ends; the longest caption of two defects and an impurity has 26
IN_TWO = {"mousebite": ("mouse", "bite")}  # a word of two tokens, as published vocabularies have many
WORD_END = "</w>"

Merge = tuple[str, str]


def build_tokenizer(words: Iterable[str] | None = None) -> CLIPTokenizer:
    """The tokenizer of these words, or of all that captions and prompts use; a word is a token, but those of IN_TWO.

    The first 512 tokens are the bytes within and at the end of a word, so that no text is unknown.
    """
    merges: list[Merge] = []
    for word in sorted(set(vocabulary() if words is None else words)):
        _learn(word, merges)
    alphabet = sorted(_bytes().values(), key=ord)
    tokens = [*alphabet, *(letter + WORD_END for letter in alphabet)]
    tokens += list(dict.fromkeys(first + second for first, second in merges))
    tokens += [BEGIN, END]
    return CLIPTokenizer(
        vocab={token: number for number, token in enumerate(tokens)}, merges=merges, model_max_length=LENGTH
    )


def _learn(word: str, merges: list[Merge]) -> None:
    """Add the merges that make one token of a word, left to right; a later merge never undoes an earlier word's."""
    pieces = _pieces(word, merges)
    if word in IN_TWO:
        first, second = IN_TWO[word]
        pieces = [*_joined(list(first), merges), *_joined([*second[:-1], second[-1] + WORD_END], merges)]
        return
    _joined(pieces, merges)


def _joined(pieces: Sequence[str], merges: list[Merge]) -> list[str]:
    first, *rest = pieces
    for piece in rest:
        if (first, piece) not in merges:
            merges.append((first, piece))
        first += piece
    return [first]


def _pieces(word: str, merges: Sequence[Merge]) -> list[str]:
    """What byte pair encoding makes of a word: the earliest merge that applies, until none does."""
    pieces = [*word[:-1], word[-1] + WORD_END]
    ranks = {merge: rank for rank, merge in enumerate(merges)}
    while True:
        pairs = [(ranks.get(pair, len(merges)), place) for place, pair in enumerate(pairwise(pieces))]
        rank, place = min(pairs, default=(len(merges), 0))
        if rank == len(merges):
            return pieces
        pieces[place : place + 2] = [pieces[place] + pieces[place + 1]]


def _bytes() -> dict[int, str]:
    """A printable letter for every byte, as GPT-2 and CLIP have it."""
    kept = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    moved = [byte for byte in range(256) if byte not in kept]
    return {byte: chr(byte) for byte in kept} | {byte: chr(256 + place) for place, byte in enumerate(moved)}
