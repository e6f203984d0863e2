"""What drawing and evaluating scenes came to, for those who change one thing of a scene at a time and look at once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import numpy as np

Result = TypeVar("Result")

MOST_BYTES = 512 << 20  # of arrays; a layer at 512 x 512 texels takes 8 MB


class SceneCache:
    """Results by what they followed from; nothing but the time that they take depends on it.

    Those of a surface are dropped when another one comes, and the least recently used when they outgrow `most_bytes`.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.most_bytes = most_bytes
        self.latest: dict[str, tuple[object, Any]] = {}
        self.surface: object = None
        self.results: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def latest_or_compute(self, name: str, inputs: object, work: Callable[[], Result]) -> Result:
        """What `work` gave the last time under this name, if its inputs are equal now; otherwise what it gives."""
        if name in self.latest and self.latest[name][0] == inputs:
            result: Result = self.latest[name][1]
            return result
        result = work()
        self.latest[name] = (inputs, result)
        return result

    def invalidate_if_changed(self, surface: object) -> None:
        """Begin with a surface; results that belong to another are dropped."""
        if self.surface != surface:
            self.results.clear()
            self.surface = surface

    def get_or_compute(self, key: Hashable, work: Callable[[], Result]) -> Result:
        """What `work` once gave for this key on the surface."""
        if key not in self.results:
            result = work()
            self.results[key] = (result, _bytes_of(result))
        self.results.move_to_end(key)
        found: Result = self.results[key][0]
        while len(self.results) > 1 and sum(size for _, size in self.results.values()) > self.most_bytes:
            self.results.popitem(last=False)
        return found


def _bytes_of(result: object) -> int:
    """Bytes of the arrays in a dataclass, and in those that it holds."""
    if isinstance(result, np.ndarray):
        return result.nbytes
    if is_dataclass(result):
        return sum(_bytes_of(getattr(result, field.name)) for field in fields(result))
    return 0
