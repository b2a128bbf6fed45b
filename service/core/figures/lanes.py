"""Numbers of many questions at once: one for each lane, in place of a float.

Questions that differ in some numbers alone are argued together. A number in which they differ is a
`Lanes`, and the argument runs once. Where the argument asks which of two numbers is larger, the
lanes must agree: those that do not are left, and are argued by themselves. A `Lanes` is no float.
What it cannot do exactly as a float would, for each lane, raises `Inexpressible`, and then all
questions are argued one by one. So no answer hangs on whether others were asked beside it.
"""

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial, wraps
from itertools import compress, islice, repeat
from typing import Any, Final, NamedTuple, NoReturn, ParamSpec, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from service.core.figures.arrays import Array

GivenByLane = ParamSpec("GivenByLane")
OfLane = TypeVar("OfLane")
TEXT_BEGINS: Final = "\ue000"
TEXT_ENDS: Final = "\ue001"
"""Around the number of a column of texts, inside a text. No question that is argued together with
others has these characters."""
ROUNDED_AT_ONCE: Final = range(16)
"""Decimals that numbers of all lanes are rounded to at once. Ten to their power is a float."""
RAISED_OFF_BY: Final = 1e-15
"""By how much, as a share, a float times a power of ten is off, at most: its one rounding is of
1.1e-16."""
MOST_RAISED: Final = 2.0**51
"""Floats below this tell halves apart."""
NO_JSON: Final = b"\0"
"""Stands between pieces of JSON."""


class Inexpressible(Exception):
    """Something that can only be done with one number at a time"""


class Pieces(NamedTuple):
    """A piece of JSON of each lane, joined, so that they take little to be sent to a process."""

    joined: bytes
    by: bytes
    """What stands between two of them, and in none."""

    def split(self) -> list[bytes]:
        """The piece of each lane."""
        return self.joined.split(self.by)

    def of_all(self, lanes: int) -> bytes | None:
        """The piece that all lanes have. None if they differ."""
        first = self.joined.partition(self.by)[0]
        return first if self.joined == self.by.join(repeat(first, lanes)) else None


def pieces_of(pieces: Iterable[bytes]) -> Pieces:
    """Any pieces of JSON. None of them has a zero byte."""
    return Pieces(NO_JSON.join(pieces), NO_JSON)


class Group:
    """Questions that are argued together, and the columns of what they print."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.alive: NDArray[np.bool_] = np.ones(size, dtype=bool)
        """The lanes that have agreed with most of the others so far."""
        self.columns: list[Pieces] = []
        self._texts: dict[tuple[str, ...], int] = {}

    def living(self) -> list[int]:
        """The places of the lanes that go on."""
        found: list[int] = np.flatnonzero(self.alive).tolist()
        return found

    def agree(self, conditions: NDArray[np.bool_]) -> bool:
        """Whether a condition holds in most lanes. The others are left."""
        holds = int(np.count_nonzero(conditions[self.alive]))
        verdict = 2 * holds >= int(np.count_nonzero(self.alive))
        if holds and not conditions[self.alive].all():
            self.alive &= conditions if verdict else ~conditions
        elif not verdict:
            self.alive &= ~conditions
        return verdict

    def agree_on(self, codes: NDArray[Any]) -> int:
        """The place of a lane whose code most lanes have. Those that have another are left."""
        values, places, counts = np.unique(codes[self.alive], return_index=True, return_counts=True)
        most = int(np.argmax(counts))
        first = self.living()[int(places[most])]
        self.alive &= codes == values[most]
        return first

    def each(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> list[Any]:
        """What a function returns in each lane. In a lane that was left it is that of another."""
        alike = {name: one for name, one in kwargs.items() if type(one) is not Lanes}
        named = [name for name in kwargs if name not in alike]
        columns = [*args, *(kwargs[name] for name in named)]
        values = [one.listed() if type(one) is Lanes else repeat(one) for one in columns]
        if named:
            count = len(args)

            def called(*of: Any) -> Any:
                return function(*of[:count], **dict(zip(named, of[count:], strict=True)), **alike)
        else:
            called = partial(function, **alike) if alike else function
        if self.alive.all():
            return list(islice(map(called, *values), self.size))
        rows = list(map(called, *(compress(one, self.alive) for one in values)))
        found = [rows[0]] * self.size
        for lane, row in zip(self.living(), rows, strict=True):
            found[lane] = row
        return found

    def lazily(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> "Lanes":
        """What a function returns in each lane, called when that is needed."""
        return Lanes(self, lambda: self.each(function, *args, **kwargs))

    def column(self, pieces: Pieces) -> int:
        """The number of a column of pieces of the answers."""
        self.columns.append(pieces)
        return len(self.columns) - 1

    def text(self, values: list[str]) -> str:
        """A text that stands for another one in each lane."""
        living = self.living()
        if len({values[lane] for lane in living}) == 1:
            return values[living[0]]
        key = tuple(values)
        if key not in self._texts:
            self._texts[key] = self.column(pieces_of(value.encode() for value in values))
        return f"{TEXT_BEGINS}{self._texts[key]}{TEXT_ENDS}"


class Column(ABC):
    """Values of all lanes, kept in another form than a list, in which they take less time."""

    @abstractmethod
    def tolist(self) -> list[Any]:
        """The values as a list."""

    @abstractmethod
    def truths(self) -> NDArray[np.bool_]:
        """Whether each value is true."""

    @abstractmethod
    def negative(self) -> "Column":
        """The values with the other sign. Raises `TypeError` if they are texts."""

    @abstractmethod
    def json(self) -> Iterator["bytes | Pieces"]:
        """The parts of the values as JSON: those of all lanes, and those that differ by lane."""


class Lanes:
    """A number, or an amount, or a printed one, for each lane. It is made when it is needed."""

    __slots__ = ("_listed", "_made", "_values", "group")
    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, group: Group, made: "Callable[[], Any] | Array") -> None:
        self.group = group
        self._values: Any = None
        self._listed: list[Any] | None = None
        self._made: Callable[[], Any] | None = None
        if callable(made):
            self._made = made
        else:
            self._values = made

    @property
    def values(self) -> Any:
        """The numbers, shape `[lanes]`, or a list or a column of other values."""
        if self._made is not None:
            values, self._made = self._made(), None
            numbers = isinstance(values, list) and isinstance(values[0], float)
            self._values = np.array(values) if numbers else values
        return self._values

    def numbers(self) -> Array:
        """The numbers. Raises `Inexpressible` if these are no floats."""
        if not isinstance(self.values, np.ndarray):
            raise Inexpressible(type(self.listed()[0]).__name__)
        return self.values

    def listed(self) -> list[Any]:
        """The values as a list: floats, or others."""
        if self._listed is None:
            values = self.values
            self._listed = values if isinstance(values, list) else values.tolist()
        return self._listed

    def _with(self, operation: Callable[..., Any], *others: Any) -> "Lanes":
        if isinstance(self.values, np.ndarray) and all(map(_is_number, others)):
            numbers = operation(self.values, *(_numbers(one) for one in others))
            if not np.isfinite(numbers[self.group.alive]).all():
                raise Inexpressible("infinite")
            return Lanes(self.group, numbers)
        return self.group.lazily(operation, self, *others)

    def _if(self, operation: Callable[..., Any], other: Any) -> bool:
        if isinstance(self.values, np.ndarray) and _is_number(other):
            return self.group.agree(operation(self.values, _numbers(other)))
        return self.group.agree(np.array(self.group.each(operation, self, other), dtype=bool))

    def __add__(self, other: Any) -> "Lanes":
        return self._with(operator.add, other)

    def __radd__(self, other: Any) -> "Lanes":
        return self._with(lambda own, one: one + own, other)

    def __sub__(self, other: Any) -> "Lanes":
        return self._with(operator.sub, other)

    def __rsub__(self, other: Any) -> "Lanes":
        return self._with(lambda own, one: one - own, other)

    def __mul__(self, other: Any) -> "Lanes":
        return self._with(operator.mul, other)

    def __rmul__(self, other: Any) -> "Lanes":
        return self._with(lambda own, one: one * own, other)

    def __truediv__(self, other: Any) -> "Lanes":
        return self._with(operator.truediv, other)

    def __rtruediv__(self, other: Any) -> "Lanes":
        return self._with(lambda own, one: one / own, other)

    def __neg__(self) -> "Lanes":
        if isinstance(self.values, Column):
            return Lanes(self.group, self.values.negative)
        return self._with(operator.neg)

    def __abs__(self) -> "Lanes":
        return self._with(operator.abs)

    def __lt__(self, other: Any) -> bool:
        return self._if(operator.lt, other)

    def __le__(self, other: Any) -> bool:
        return self._if(operator.le, other)

    def __gt__(self, other: Any) -> bool:
        return self._if(operator.gt, other)

    def __ge__(self, other: Any) -> bool:
        return self._if(operator.ge, other)

    def __eq__(self, other: object) -> bool:
        return other is not None and self._if(operator.eq, other)

    def __ne__(self, other: object) -> bool:
        return other is None or self._if(operator.ne, other)

    def __bool__(self) -> bool:
        if isinstance(self.values, Column):
            return self.group.agree(self.values.truths())
        return self.group.agree(np.array([bool(value) for value in self.listed()]))

    def __int__(self) -> int:
        numbers = [int(value) for value in self.listed()]
        return numbers[self.group.agree_on(np.array(numbers))]

    def __round__(self, digits: int | None = None) -> "Lanes":
        if digits is None or digits not in ROUNDED_AT_ONCE:
            return self.group.lazily(round, self, digits)
        return Lanes(self.group, lambda: _rounded(self.numbers(), digits))

    def __format__(self, spec: str) -> str:
        return self.group.text(self.group.each(format, self, spec))

    def __str__(self) -> str:
        return format(self, "")

    def __float__(self) -> NoReturn:
        raise Inexpressible("a float")


def _is_number(value: Any) -> bool:
    if isinstance(value, Lanes):
        return isinstance(value.values, np.ndarray)
    return isinstance(value, float | int)


def _rounded(numbers: Array, digits: int) -> Array:
    """What `round` makes of each number.

    Where a number is clearly nearer to one decimal than to the next, that is found as a quotient of
    whole numbers, which is the float nearest to it. All others are rounded one by one.
    """
    raised = numbers * 10.0**digits
    nearest = np.rint(raised)
    found: Array = nearest / 10.0**digits
    off_by = np.abs(np.abs(raised - nearest) - 0.5)
    clear = (off_by > np.abs(raised) * RAISED_OFF_BY) & (np.abs(raised) < MOST_RAISED)
    for lane in np.flatnonzero(~clear).tolist():
        found[lane] = round(float(numbers[lane]), digits)
    return found


def _numbers(value: Any) -> Any:
    return value.values if isinstance(value, Lanes) else value


def first_lanes(values: Iterable[Any]) -> Lanes | None:
    """The first of some values that differs by lane."""
    return next((value for value in values if type(value) is Lanes), None)


def by_lane(function: Callable[GivenByLane, OfLane]) -> Callable[GivenByLane, OfLane]:
    """A function of numbers, which is called for each lane where one of them differs by lane.

    Its numbers are given by place, and all else by name.
    """

    @wraps(function)
    def called(*args: GivenByLane.args, **kwargs: GivenByLane.kwargs) -> OfLane:
        for one in args:
            if type(one) is Lanes:
                return cast(OfLane, one.group.lazily(function, *args, **kwargs))
        return function(*args, **kwargs)

    return called


def entry_at(table: Mapping[float, OfLane], number: Any) -> OfLane | None:
    """The entry of a table under a number, in most lanes the same one or none."""
    if not isinstance(number, Lanes):
        return table.get(float(number))
    numbers = number.numbers()
    codes = np.array([one if one in table else np.nan for one in numbers.tolist()])
    known = number.group.agree(~np.isnan(codes))
    if not known:
        return None
    return table[float(codes[number.group.agree_on(codes)])]
