"""Which token of the source's prompt stands for which token of the target's, as matrices over token positions.

Column j of a mapping says of which source tokens the map of target token j is made. Words are what people write; a
word may be several tokens, and a phrase several words.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffusion_refine.prompts import vocabulary
from procgen.errors import BlemishError


@dataclass(frozen=True)
class Tokens:
    """A prompt as the model reads it.

    words: in lower case; places: positions of the tokens of each word; ids: with the marks of begin and end, without
    padding; length: of the padded sequence.
    """

    text: str
    words: tuple[str, ...]
    places: tuple[tuple[int, ...], ...]
    ids: tuple[int, ...]
    length: int

    def of(self, phrase: str) -> list[int]:
        """Positions of all tokens of every occurrence of a word or phrase. Raises BlemishError where there is none."""
        found = [place for word in vocabulary.find(list(self.words), phrase) for place in self.places[word]]
        if not found:
            raise BlemishError(f"the prompt {self.text!r} does not contain {phrase!r}; name a word that it contains")
        return found


@dataclass(frozen=True)
class Alignment:
    """How a target's cross-attention maps are made of the source's: base @ mapping · share + own · (1 − share).

    mapping: (length, length) float32, source position by target position; share: (length,) float32 of [0, 1], by
    target position.
    """

    mapping: NDArray[np.float32]
    share: NDArray[np.float32]


def tokens_of(prompt: str, tokenizers: Sequence[Any]) -> Tokens:
    """A prompt's tokens by one tokenizer of transformers, or by SDXL's two, which must agree on all but the padding.

    Raises BlemishError where they do not agree, where the prompt is too long for the model, and where a word's tokens
    depend on its neighbours.
    """
    readings = [tuple(tokenizer(prompt, add_special_tokens=True)["input_ids"]) for tokenizer in tokenizers]
    if len(set(readings)) != 1:
        read = " and ".join(str(list(ids)) for ids in dict.fromkeys(readings))
        raise BlemishError(
            f"the model's tokenizers read {prompt!r} as {read}; "
            "one edit of attention needs one reading: use a model whose tokenizers share their vocabulary"
        )
    ids, length = readings[0], int(tokenizers[0].model_max_length)
    if len(ids) > length:
        raise BlemishError(f"the prompt {prompt!r} has {len(ids)} tokens; the model reads {length}: shorten it")
    words = vocabulary.split(prompt)
    places, reached = [], 1  # after the mark of the beginning
    for word in words:
        count = len(tokenizers[0](word, add_special_tokens=False)["input_ids"])
        places.append(tuple(range(reached, reached + count)))
        reached += count
    alone = [i for word in words for i in tokenizers[0](word, add_special_tokens=False)["input_ids"]]
    if list(ids[1:-1]) != alone:
        raise BlemishError(f"the words of {prompt!r} cannot be told apart in its tokens; use plain words and commas")
    return Tokens(prompt, tuple(words), tuple(places), ids, length)


def replacement(source: Tokens, target: Tokens) -> Alignment:
    """Every word that differs takes over the maps of the word whose place it takes; all maps are the source's.

    The tokens of a word take over one another's maps one by one where they are equally many, otherwise in equal shares.
    Raises BlemishError where words were only added or only removed: such edits are refinements.
    """
    mapping = np.zeros((source.length, source.length), np.float32)
    mapping[0, 0] = 1
    for old, new in correspondence(source, target):
        if not old or not new:
            left = " ".join([*(source.words[k] for k in old), *(target.words[k] for k in new)])
            raise BlemishError(
                f"{left!r} has no counterpart between {source.text!r} and {target.text!r}; refine instead of replacing"
            )
        rows, columns = _places(source, old), _places(target, new)
        if len(rows) == len(columns):
            mapping[rows, columns] = 1
        else:
            mapping[np.ix_(rows, columns)] = 1 / len(columns)
    _end_and_padding(mapping, source, target)
    return Alignment(mapping, np.ones(source.length, np.float32))


def refinement(source: Tokens, target: Tokens) -> Alignment:
    """Tokens that both prompts have, in order, keep the source's maps; new ones make their own."""
    mapping = np.zeros((source.length, source.length), np.float32)
    share = np.zeros(source.length, np.float32)
    for i, j in common_subsequence(source.ids[:-1], target.ids[:-1]):
        mapping[i, j] = share[j] = 1
    _end_and_padding(mapping, source, target)
    share[len(target.ids) - 1 :] = 1
    return Alignment(mapping, share)


def unchanged(tokens: Tokens) -> Alignment:
    """Every map is the source's own."""
    return Alignment(np.eye(tokens.length, dtype=np.float32), np.ones(tokens.length, np.float32))


def correspondence(source: Tokens, target: Tokens) -> list[tuple[range, range]]:
    """Ranges of words of the source and of the target that stand for one another, in order; equal ones one by one.

    Prompts of equally many words correspond word by word, others around the words that they share. A range is empty
    where words were only added or only removed.
    """
    old, new = source.words, target.words
    if len(old) == len(new):
        return [(range(k, k + 1), range(k, k + 1)) for k in range(len(old))]
    found: list[tuple[range, range]] = []
    i = j = 0
    for i_next, j_next in [*common_subsequence(old, new), (len(old), len(new))]:
        if i < i_next or j < j_next:
            found.append((range(i, i_next), range(j, j_next)))
        found.append((range(i_next, i_next + 1), range(j_next, j_next + 1)))
        i, j = i_next + 1, j_next + 1
    return found[:-1]  # the last pair is the two ends


def changes(source: Tokens, target: Tokens) -> list[tuple[list[int], list[int]]]:
    """Positions of the tokens, of the source and of the target, wherever the words that correspond differ.

    An article that changed with its noun is no change.
    """
    found = []
    for old, new in correspondence(source, target):
        before, after = [source.words[k] for k in old], [target.words[k] for k in new]
        if before != after and not {*before, *after} <= vocabulary.ARTICLES:
            found.append((_places(source, old), _places(target, new)))
    return found


def common_subsequence(first: Sequence[Hashable], second: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Pairs of positions of one longest common subsequence, ascending: Needleman and Wunsch's where gaps are free."""
    longest = np.zeros((len(first) + 1, len(second) + 1), int)
    for i in reversed(range(len(first))):
        for j in reversed(range(len(second))):
            same = longest[i + 1, j + 1] + 1 if first[i] == second[j] else 0
            longest[i, j] = max(same, longest[i + 1, j], longest[i, j + 1])
    pairs, i, j = [], 0, 0
    while i < len(first) and j < len(second):
        if first[i] == second[j] and longest[i, j] == longest[i + 1, j + 1] + 1:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif longest[i + 1, j] >= longest[i, j + 1]:
            i += 1
        else:
            j += 1
    return pairs


def equaliser(tokens: Tokens, factors: Mapping[str, float]) -> NDArray[np.float32]:
    """Factor of every token's maps, (length,) float32: 1 but for the named words and phrases."""
    found = np.ones(tokens.length, np.float32)
    for phrase, factor in factors.items():
        found[tokens.of(phrase)] = factor
    return found


def _places(tokens: Tokens, words: range) -> list[int]:
    return [place for word in words for place in tokens.places[word]]


def _end_and_padding(mapping: NDArray[np.float32], source: Tokens, target: Tokens) -> None:
    """The mark of the end and the padding after it correspond in their order; what is left over joins the last one."""
    rows, columns = np.arange(len(source.ids) - 1, source.length), np.arange(len(target.ids) - 1, source.length)
    mapping[rows, columns[np.minimum(np.arange(len(rows)), len(columns) - 1)]] = 1
