"""What a fault is: what is expected of the service, what was seen, and how the two compare."""

import math
import traceback
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct

LADDER: Final = (1.0, 2.0, 3.0, 5.0, 10.0)
"""Measured numbers are printed as the next of these, so that runs do not differ needlessly."""
AT_ONCE_S: Final = 0.2


class AtMost(NamedTuple):
    """A bound on what is measured."""

    most: float
    unit: str


class AtLeast(NamedTuple):
    """A bound on what is counted."""

    least: int
    unit: str


Expected: TypeAlias = str | AtMost | AtLeast
Fact: TypeAlias = str | float
"""What was seen: words, or a number that has a bound."""


class Seen(Struct, frozen=True):
    """What the service did under a fault, and how long it took to be as before."""

    facts: Mapping[str, Fact]
    recovered_s: float | None = None


class Fault(Struct, frozen=True, kw_only=True):
    """A row of the suite."""

    group: str
    name: str
    expects: Mapping[str, Expected]
    recovers_s: float | None
    """How long the service may take after the fault to be as before. None if it never was not."""
    quick: bool
    """Whether it runs with all tests."""
    run: Callable[[], Seen]

    def differences(self, seen: Seen, *, times: bool = True) -> list[str]:
        """Where what was seen is not what is expected. Without `times`, measures are let be."""
        found = [
            f"{name}: {_printed(value, bound)}, not {expected_fact(bound)}"
            for name, bound in self.expects.items()
            if not _holds((value := seen.facts.get(name, "not seen")), bound, times=times)
        ]
        late = self.recovers_s is not None and (seen.recovered_s or 0.0) > self.recovers_s
        if times and late:
            found.append(f"recovery: {within(seen.recovered_s or 0.0)} s")
        return found


FAULTS: Final[list[Fault]] = []
"""All rows, in the order in which they are printed."""


def fault(
    group: str,
    name: str,
    *,
    expects: Mapping[str, Expected],
    recovers_s: float | None = None,
    quick: bool = False,
) -> Callable[[Callable[[], Seen]], Callable[[], Seen]]:
    """Put a function into the suite as the row of a fault."""

    def put(run: Callable[[], Seen]) -> Callable[[], Seen]:
        FAULTS.append(
            Fault(
                group=group,
                name=name,
                expects=expects,
                recovers_s=recovers_s,
                quick=quick,
                run=run,
            )
        )
        return run

    return put


def tried(fault: Fault) -> tuple[Seen, list[str]]:
    """What was seen of a fault, and the differences. A test that breaks off is one of them."""
    try:
        seen = fault.run()
    except Exception as error:  # noqa: BLE001 - the other rows are tried as well
        traceback.print_exc()
        return Seen({}), [f"broke off: {type(error).__name__}: {error}"[:300]]
    return seen, fault.differences(seen)


def within(value: float) -> str:
    """A number as the next of 1, 2, 3, 5, 10, 20, 30 ... that it does not exceed."""
    if value <= 0:
        return "0"
    power = 10.0 ** math.floor(math.log10(value))
    step = next(one for one in LADDER if value <= one * power * (1 + 1e-9))
    return f"{step * power:g}"


def recovery(seconds: float | None) -> str:
    """How long a recovery took."""
    if seconds is None:
        return ""
    return "at once" if seconds <= AT_ONCE_S else f"within {within(seconds)} s"


def expected_fact(bound: Expected) -> str:
    """A fact as it is expected."""
    if isinstance(bound, str):
        return bound
    if isinstance(bound, AtMost):
        return f"at most {bound.most:g} {bound.unit}"
    return f"at least {bound.least:,} {bound.unit}"


def measured(fault: Fault, seen: Seen) -> list[str]:
    """The measured facts, rounded up, and the counted ones."""
    word = {AtMost: "within ", AtLeast: ""}
    return [
        f"{name} {word[type(bound)]}{_printed(seen.facts[name], bound)}"
        for name, bound in fault.expects.items()
        if not isinstance(bound, str) and name in seen.facts
    ]


def _printed(value: Fact, bound: Expected) -> str:
    if isinstance(value, str) or isinstance(bound, str):
        return str(value)
    printed = within(value) if isinstance(bound, AtMost) else f"{value:,.0f}"
    return f"{printed} {bound.unit}"


def _holds(value: Fact, bound: Expected, *, times: bool) -> bool:
    if isinstance(bound, str) or isinstance(value, str):
        return value == bound
    if isinstance(bound, AtLeast):
        return value >= bound.least
    return not times or value <= bound.most
