"""Random quantities as a recipe writes them: a number, or a mapping that names a distribution."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from reprlib import Repr
from typing import Any, ClassVar

import numpy as np
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

FORMS = (
    "a number, {uniform: [low, high]}, {log_uniform: [low, high]}, {normal: [mean, deviation], clip: [low, high]}, "
    "{choice: [value, ...]} or {poisson: rate}"
)
POISSON_RATE_LIMIT = 1e6
CHOICE_LIMIT = 1000

_short = Repr()
_short.maxstring, _short.maxother, _short.maxlevel = 60, 60, 3


def shown(value: object) -> str:
    """Text of a value found in a recipe, short enough for one line of an error."""
    return _short.repr(value).replace("\n", " ")


class Distribution(ABC):
    """One random quantity; `low` and `high` bound everything that `sample` can return."""

    @property
    @abstractmethod
    def low(self) -> float: ...

    @property
    @abstractmethod
    def high(self) -> float: ...

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> float:
        """One value, drawn from `rng`."""

    @abstractmethod
    def written(self) -> Any:
        """The form that a recipe writes and `parse` reads."""

    def sample_whole(self, rng: np.random.Generator) -> int:
        """One whole number: the nearest to a sample."""
        return round(self.sample(rng))

    def __str__(self) -> str:
        written = self.written()
        if not isinstance(written, dict):
            return f"{written:g}"
        return "{" + ", ".join(f"{key}: {_brief(entry)}" for key, entry in written.items()) + "}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            parse, serialization=core_schema.plain_serializer_function_ser_schema(lambda value: value.written())
        )


@dataclass(frozen=True)
class Constant(Distribution):
    value: float

    @property
    def low(self) -> float:
        return self.value

    @property
    def high(self) -> float:
        return self.value

    def sample(self, rng: np.random.Generator) -> float:
        return self.value

    def written(self) -> float:
        return self.value


@dataclass(frozen=True)
class _Interval(Distribution):
    """A distribution over the interval from `start` to `stop`."""

    start: float
    stop: float
    key: ClassVar[str]

    def __post_init__(self) -> None:
        if self.start > self.stop:
            raise ValueError(
                f"found {self}, which runs downwards; expected {{{self.key}: [{self.stop:g}, {self.start:g}]}}"
            )

    @property
    def low(self) -> float:
        return self.start

    @property
    def high(self) -> float:
        return self.stop

    def written(self) -> dict[str, list[float]]:
        return {self.key: [self.start, self.stop]}


@dataclass(frozen=True)
class Uniform(_Interval):
    key = "uniform"

    def sample(self, rng: np.random.Generator) -> float:
        return float(np.clip(rng.uniform(self.start, self.stop), self.start, self.stop))

    def sample_whole(self, rng: np.random.Generator) -> int:
        """One of the whole numbers from low to high, both included, each equally likely."""
        return int(rng.integers(math.ceil(self.start), math.floor(self.stop), endpoint=True))


@dataclass(frozen=True)
class LogUniform(_Interval):
    key = "log_uniform"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.start <= 0:
            raise ValueError(f"found {self}; expected both ends above 0")

    def sample(self, rng: np.random.Generator) -> float:
        drawn = math.exp(rng.uniform(math.log(self.start), math.log(self.stop)))
        return min(max(drawn, self.start), self.stop)


@dataclass(frozen=True)
class Normal(Distribution):
    mean: float
    deviation: float
    clip: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.deviation < 0:
            raise ValueError(f"found {self}; expected a deviation of 0 or more")
        if self.clip is not None and self.clip[0] > self.clip[1]:
            raise ValueError(
                f"found {self}, whose clip runs downwards; expected clip: [{self.clip[1]:g}, {self.clip[0]:g}]"
            )

    @property
    def low(self) -> float:
        return self.clip[0] if self.clip else self.mean if self.deviation == 0 else -math.inf

    @property
    def high(self) -> float:
        return self.clip[1] if self.clip else self.mean if self.deviation == 0 else math.inf

    def sample(self, rng: np.random.Generator) -> float:
        return min(max(float(rng.normal(self.mean, self.deviation)), self.low), self.high)

    def written(self) -> dict[str, list[float]]:
        written = {"normal": [self.mean, self.deviation]}
        return written | {"clip": list(self.clip)} if self.clip else written


@dataclass(frozen=True)
class Choice(Distribution):
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.values) <= CHOICE_LIMIT:
            raise ValueError(f"found a choice of {len(self.values)} values; expected 1 to {CHOICE_LIMIT}")

    @property
    def low(self) -> float:
        return min(self.values)

    @property
    def high(self) -> float:
        return max(self.values)

    def sample(self, rng: np.random.Generator) -> float:
        return self.values[int(rng.integers(len(self.values)))]

    def written(self) -> dict[str, list[float]]:
        return {"choice": list(self.values)}


@dataclass(frozen=True)
class Poisson(Distribution):
    rate: float

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= POISSON_RATE_LIMIT:
            raise ValueError(f"found {self}; expected a rate from 0 to {POISSON_RATE_LIMIT:g}")

    @property
    def low(self) -> float:
        return 0.0

    @property
    def high(self) -> float:
        """A bound that a Poisson number passes with a probability below 1e-12; samples are held to it."""
        return 0.0 if self.rate == 0 else float(math.ceil(self.rate + 8 * math.sqrt(self.rate) + 24))

    def sample(self, rng: np.random.Generator) -> float:
        return min(float(rng.poisson(self.rate)), self.high)

    def written(self) -> dict[str, float]:
        return {"poisson": self.rate}


def _brief(entry: float | list[float]) -> str:
    return f"[{', '.join(f'{number:g}' for number in entry)}]" if isinstance(entry, list) else f"{entry:g}"


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"found {shown(value)}{where}; expected {FORMS if not where else 'a number'}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"found {shown(value)}{where}; expected a finite number")
    return number


def _numbers(value: object, key: str, count: int | None = None) -> tuple[float, ...]:
    if not isinstance(value, list | tuple) or (count is not None and len(value) != count):
        wanted = f"a list of {count} numbers" if count else "a list of numbers"
        raise ValueError(f"found {{{key}: {shown(value)}}}; expected {wanted}")
    return tuple(_number(entry, f" in {{{key}: ...}}") for entry in value)


def _normal(written: Mapping[str, object]) -> Normal:
    mean, deviation = _numbers(written["normal"], "normal", 2)
    if "clip" not in written:
        return Normal(mean, deviation)
    low, high = _numbers(written["clip"], "clip", 2)
    return Normal(mean, deviation, (low, high))


_READERS: dict[str, Callable[[Mapping[str, object]], Distribution]] = {
    "uniform": lambda written: Uniform(*_numbers(written["uniform"], "uniform", 2)),
    "log_uniform": lambda written: LogUniform(*_numbers(written["log_uniform"], "log_uniform", 2)),
    "normal": _normal,
    "choice": lambda written: Choice(_numbers(written["choice"], "choice")),
    "poisson": lambda written: Poisson(_number(written["poisson"], " in {poisson: ...}")),
}


def parse(written: object) -> Distribution:
    """The distribution that a recipe's value stands for.

    Raises ValueError, as "found X; expected Y", for anything that is not one of FORMS with finite numbers.
    """
    if isinstance(written, Distribution):
        return written
    if not isinstance(written, Mapping):
        return Constant(_number(written, ""))
    names = [key for key in written if key != "clip"]
    if len(names) != 1 or names[0] not in _READERS or ("clip" in written and names != ["normal"]):
        raise ValueError(f"found {shown(dict(written))}; expected {FORMS}")
    return _READERS[names[0]](written)


@dataclass(frozen=True)
class Within:
    """Metadata of a pydantic field: all that its distribution can return lies in [low, high]; `whole` numbers only."""

    low: float
    high: float
    whole: bool = False

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def check(self, value: Distribution) -> Distribution:
        """The distribution itself. Raises ValueError, as "found X; expected Y", where it can leave the bounds."""
        if math.isinf(value.low):
            raise ValueError(
                f"found {value}, which has no bounds; expected clip: [low, high] beside it, "
                f"within {self.low:g} to {self.high:g}"
            )
        if value.low < self.low or value.high > self.high:
            reach = "" if isinstance(value, Constant) else f", which reaches from {value.low:g} to {value.high:g}"
            raise ValueError(f"found {value}{reach}; expected {self.low:g} to {self.high:g}")
        if self.whole and isinstance(value, Constant | Choice | Uniform):
            ends = value.values if isinstance(value, Choice) else (value.low, value.high)
            if any(end != int(end) for end in ends):
                raise ValueError(f"found {value}; expected whole numbers")
        return value
