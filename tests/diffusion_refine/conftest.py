"""Small models of the published shapes, with weights of their own and a tokenizer without a hub."""

import os
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
import torch
from transformers import CLIPTokenizer

from benchmarks.diffusion_architectures import build
from diffusion_refine.core.models import Model

os.environ.setdefault("HF_HUB_OFFLINE", "1")
FAMILIES = ("sd15", "sd21", "sdxl")
# Each a token of its own; every other word is spelt, so that "blowhole" is several tokens.
WORDS = (
    "photo", "of", "a", "on", "good", "defect", "crack", "scratch", "dent", "rust", "hole", "stain", "peeling",
    "ground", "steel", "plate", "tile", "image", "corrosion",
)  # fmt: skip


@pytest.fixture(autouse=True)
def process_as_it_was() -> Iterator[None]:
    """Commands set up the process they have to themselves: without denormal numbers, which other tests need."""
    threads = torch.get_num_threads()
    yield
    torch.set_flush_denormal(False)
    torch.set_num_threads(threads)


@cache
def word_tokenizer() -> CLIPTokenizer:
    """CLIP's kind of tokenizer over letters, digits, punctuation and WORDS; "!" is token 0, as in CLIP's."""
    letters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    tokens = ["!", *(letter for letter in letters if letter != "!"), *(letter + "</w>" for letter in letters)]
    merges: list[tuple[str, str]] = []
    for word in WORDS:
        parts = [*word[:-1], word[-1] + "</w>"]
        for pair in merges:
            parts = merged(parts, pair)
        while len(parts) > 1:
            merges.append((parts[0], parts[1]))
            parts = merged(parts, merges[-1])
            tokens.append(merges[-1][0] + merges[-1][1])
    ordered = [*dict.fromkeys(tokens), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: number for number, token in enumerate(ordered)}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)


def merged(parts: list[str], pair: tuple[str, str]) -> list[str]:
    """A word's parts after one merge, as byte-pair encoding does it."""
    found: list[str] = []
    for part in parts:
        if found and (found[-1], part) == pair:
            found[-1] += part
        else:
            found.append(part)
    return found


def tiny_pipeline(family: str, sample_size: int = 8, latent_channels: int = 4, seed: int = 0) -> Any:
    """The published shape with an eighth of its channels and at most two layers a transformer; 64 pixels a side."""
    return build(
        family,
        word_tokenizer(),
        cut=8,
        depth=2,
        sample_size=sample_size,
        latent_channels=latent_channels,
        seed=seed,
    )


@pytest.fixture(scope="session")
def tiny_model() -> Callable[..., Model]:
    """`tiny_model(family, sample_size=8, latent_channels=4, seed=0)`: a new model with the same weights each time.

    Families: "sd15", "sd21" (predicts velocity) and "sdxl"; `sample_size` is texels a side, of eight pixels each.
    """
    return lambda family, **options: Model(tiny_pipeline(family, **options), family)
