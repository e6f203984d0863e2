"""What real or rendered defects of a class are like in the detail bands: what the fine stage is to come near (P7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from diffusion_refine.editing.pixels import colour
from diffusion_refine.synthesis.generator import Mask
from diffusion_refine.synthesis.maphc2f.options import Wavelet
from diffusion_refine.synthesis.maphc2f.wavelets import analysis, brightness, changeable, dilated, magnitudes, reach
from diffusion_refine.synthesis.maphc2f.windows import window_of
from procgen.errors import BlemishError
from scenes.formats.sample import Sample

MOST = 64  # defects of a class
DIGITS = 6

Six = NDArray[np.float64]


@dataclass(frozen=True)
class References:
    """|band| (6,) of defects by their class, over the brightness there, so that dark and bright pictures compare."""

    by_class: Mapping[str, tuple[tuple[float, ...], ...]]

    def of(self, class_name: str) -> tuple[tuple[float, ...], ...]:
        """Those of a class; where there is none of it, those of all."""
        return self.by_class.get(class_name) or tuple(one for each in self.by_class.values() for one in each)

    def drawn(self, class_name: str, random: np.random.Generator) -> Six:
        """One of these, each as likely."""
        choice = self.of(class_name)
        return np.array(choice[int(random.integers(len(choice)))])

    def scale(self) -> Six:
        """(6,) the mean over all."""
        found: Six = np.mean([one for each in self.by_class.values() for one in each], axis=0)
        return found


def references_of(samples: Sequence[Sample], wavelet: Wavelet, name: str) -> References:
    """Those of the defects that labelled samples show, MOST of a class. Raises BlemishError where they show none."""
    found: dict[str, list[tuple[float, ...]]] = {}
    for sample in samples:
        pixels = None
        for instance in sample.truth().instances:
            there = found.setdefault(instance.class_name, [])
            if instance.family != "defect" or not instance.mask.any() or len(there) >= MOST:
                continue
            pixels = colour(sample.image()) if pixels is None else pixels
            values = band_magnitudes(pixels, instance.mask, wavelet)
            there.append(tuple(round(float(value), DIGITS) for value in values))
    found = {each: values for each, values in sorted(found.items()) if values}
    if not found:
        raise BlemishError(f"{name}: its masks mark no defect; expected a labelled set with defects to be like")
    return References({each: tuple(values) for each, values in found.items()})


def merged(every: Iterable[References]) -> References:
    """Those of several sets."""
    found: dict[str, tuple[tuple[float, ...], ...]] = {}
    for each in every:
        for name, values in each.by_class.items():
            found[name] = (*found.get(name, ()), *values)
    return References(dict(sorted(found.items())))


def band_magnitudes(pixels: NDArray[np.float64], mask: Mask, wavelet: Wavelet) -> Six:
    """|band| (6,) of a picture (H, W, 3) at a mask (H, W) that marks something, over the brightness there."""
    window = window_of(mask, 2 * reach(wavelet) + 1)
    cut = torch.from_numpy(window.cut(pixels)).permute(2, 0, 1)[None]
    near = dilated(torch.from_numpy(window.cut(mask))[None, None], reach(wavelet))
    found: Six = (magnitudes(analysis(cut, wavelet), changeable(near, wavelet)) / brightness(cut, near))[0].numpy()
    return found
