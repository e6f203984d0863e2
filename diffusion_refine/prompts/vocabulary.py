"""The words of prompts: what recipes and photographs call a thing and what a prompt calls it, and which word may take
the place of which.

Section 3.4 of the null embedding paper asks for "a corpus tailored to the defect domain" without giving it; this one is
the paper's own words, DeepPCB's six, the labels of the public photographs and the nouns of the catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from procgen.errors import BlemishError
from scenes.catalogue import registry
from scenes.catalogue.entry import LayerEntry

WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?|[^\w\s]+|_+")  # as CLIP's tokenizer splits before it looks at letters

CONNECTIVES = ("photo", "image", "of", "a", "an", "on", "with", "and", "the", "defect", "good", "surface")
ARTICLES = frozenset(("a", "an"))
GENERIC = "defect"  # stands for any kind of defect


def _by_kind_and_class(entries: Mapping[str, LayerEntry]) -> Mapping[str, str]:
    """The nouns of entries by their kinds, and by their classes where these are no kinds; in alphabetical order."""
    of_class = {entry.class_name: entry.noun for entry in entries.values()}
    return MappingProxyType(dict(sorted((of_class | {kind: entry.noun for kind, entry in entries.items()}).items())))


# By the kind or class name that recipes and datasets use.
PARTS: Mapping[str, str] = MappingProxyType({kind: entry.noun for kind, entry in registry.PARTS.items()})
FINISHES: Mapping[str, str] = MappingProxyType({kind: entry.noun for kind, entry in registry.FINISHES.items()})
DEFECTS = _by_kind_and_class(registry.DEFECTS)
IMPURITIES = _by_kind_and_class(registry.IMPURITIES)
UNCOUNTED = frozenset(entry.noun for entry in registry.LAYERS.values() if not entry.countable)
MATERIALS = frozenset(entry.noun for entry in registry.FINISHES.values() if entry.is_material)
DIRECTIONAL = frozenset(entry.noun for entry in registry.FINISHES.values() if entry.directional)
MATERIAL_OF_FINISH: Mapping[str, str] = MappingProxyType(
    {entry.noun: entry.material for entry in registry.FINISHES.values()}
)

# What the labels of public photographs are called, by set: magnetic tiles, CrackForest, BSData, NEU, DeepPCB.
LABELS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "magnetic_tile": {
            "Blowhole": "blowhole",
            "Break": "break",
            "Crack": "crack",
            "Fray": "fray",
            "Free": "good",
            "Uneven": "uneven",
        },
        "crackforest": {"crack": "crack"},
        "ballscrew_pitting": {"pit": "pit", "no_pit": "good"},
        "neu_seg_dedup": {"1": "inclusion", "2": "patch", "3": "scratch"},
        "deeppcb": {
            "1": "open",
            "2": "short",
            "3": "mousebite",
            "4": "spur",
            "5": "spurious copper",
            "6": "pinhole",
            "template": "good",
        },
    }
)
# What those photographs show, for the end of a prompt.
PHOTOGRAPHED: Mapping[str, str] = MappingProxyType(
    {
        "magnetic_tile": "a ground tile",
        "crackforest": "asphalt",
        "ballscrew_pitting": "a turned screw",
        "neu_seg_dedup": "a rolled plate",
        "deeppcb": "a laminate board",
    }
)

# Which defects the photographs and papers show of a material; the first of a list is its most common one. The nouns of
# all other kinds that befall the material follow.
CORPUS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "metal": (
            "scratch",
            "crack",
            "dent",
            "pit",
            "rust",
            "corrosion",
            "inclusion",
            "patch",
            "gouge",
            "wear",
            "bump",
            "chip",
            "hole",
            "stain",
        ),
        "ceramic": ("crack", "blowhole", "break", "chip", "pore", "fray", "crazing", "scratch", "uneven", "stain"),
        "cast": ("blowhole", "pore", "crack", "inclusion", "scratch", "gouge", "rust", "chip", "hole", "stain"),
        "painted": ("scratch", "peeling", "blistering", "dent", "corrosion", "bump", "chip", "crack", "rust", "stain"),
        "asphalt": ("crack", "crazing", "hole", "patch", "wear", "stain"),
        "board": (
            "open",
            "short",
            "mousebite",
            "spur",
            "spurious copper",
            "pinhole",
            "missing hole",
            "scratch",
            "stain",
        ),
    }
)


@dataclass(frozen=True)
class Swap:
    """One word, or phrase, of a prompt and what stands in its place: `new` is the prompt with `word` for `replaced`."""

    old: str
    new: str
    replaced: str
    word: str


def split(text: str) -> list[str]:
    """The words of a prompt, in lower case; a run of punctuation is a word of its own."""
    return WORD.findall(text.lower())


def find(words: list[str], phrase: str) -> list[int]:
    """Places in `words` of every word that belongs to an occurrence of a phrase of one or more words, ascending."""
    wanted = split(phrase)
    starts = [i for i in range(len(words) - len(wanted) + 1) if wanted and words[i : i + len(wanted)] == wanted]
    return sorted({start + offset for start in starts for offset in range(len(wanted))})


def swapped(prompt: str, replaced: str, word: str) -> str:
    """The prompt with every occurrence of one word or phrase replaced by another, and the article before it fitting.

    Raises BlemishError where the prompt does not contain it.
    """
    if not find(split(prompt), replaced):
        raise BlemishError(
            f"the prompt {prompt!r} does not contain {replaced!r}; name a word or phrase that it contains"
        )
    inner = r"\s+".join(re.escape(part) for part in split(replaced))
    article = "an" if word[:1].lower() in "aeiou" else "a"

    def exchanged(found: re.Match[str]) -> str:
        before = found["article"]
        return f"{article}{before.lstrip('anAN')}{word}" if before else word

    return re.sub(rf"(?<!\w)(?P<article>(?:an?\s+)?){inner}(?!\w)", exchanged, prompt, flags=re.IGNORECASE)


def material_of(prompt: str) -> str | None:
    """The material that a prompt's finish or part stands for, where it names one."""
    words = split(prompt)
    found = (MATERIAL_OF_FINISH[word] for word in words if word in MATERIAL_OF_FINISH)
    return next(found, "board" if "board" in words else None)


def corpus(material: str | None = None) -> tuple[str, ...]:
    """Defect words of one material, or of all where it is None. Raises BlemishError for a material unheard of."""
    known = tuple(dict.fromkeys([*CORPUS, *MATERIAL_OF_FINISH.values()]))
    if material is None:
        return tuple(dict.fromkeys(word for each in known for word in corpus(each)))
    if material not in known:
        raise BlemishError(f"no defect words for the material {material!r}; known are {', '.join(known)}")
    befalling = (entry.noun for entry in registry.DEFECTS.values() if material in entry.materials)
    return tuple(dict.fromkeys([*CORPUS.get(material, ()), *befalling]))


def defects_in(prompt: str) -> list[str]:
    """Defect words and phrases that a prompt contains, in its order, longest first where they overlap."""
    words = split(prompt)
    taken: set[int] = set()
    found: list[tuple[int, str]] = []
    for phrase in sorted(corpus(), key=lambda phrase: -len(split(phrase))):
        places = [place for place in find(words, phrase) if place not in taken]
        if places:
            taken.update(places)
            found.append((places[0], phrase))
    return [phrase for _, phrase in sorted(found)]


def swaps(prompt: str, material: str | None = None, exchanged: Sequence[str] = ()) -> Iterator[Swap]:
    """Every prompt that differs from the given one in one word, exchanged for a defect word of its material's.

    material: the prompt's own where none is given. exchanged: the words to exchange one after the other, as those that
    `maps.key_tokens` finds; where none is given, the kinds of defect that the prompt names, or the word "defect" where
    it names none, or nothing where it has not even that.
    """
    present = defects_in(prompt)
    for replaced in exchanged or present or ([GENERIC] if find(split(prompt), GENERIC) else []):
        for word in corpus(material or material_of(prompt)):
            if word not in present:
                yield Swap(prompt, swapped(prompt, replaced, word), replaced, word)


def vocabulary() -> tuple[str, ...]:
    """Every single word that this module can put into a prompt, sorted: what an embedded tokenizer must know."""
    phrases = [*CONNECTIVES, *PARTS.values(), *FINISHES.values(), *DEFECTS.values(), *IMPURITIES.values()]
    phrases += [*PHOTOGRAPHED.values(), *corpus(), *(word for labels in LABELS.values() for word in labels.values())]
    return tuple(sorted({word for phrase in phrases for word in split(phrase)}))
