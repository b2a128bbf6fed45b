"""The trace that a request is part of, as its caller says it (W3C Trace Context)."""

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

HEADER: Final = b"traceparent"
FORM: Final = re.compile(
    rb"(?!ff)(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})"
    rb"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
SAMPLED: Final = 1
NOBODY: Final = re.compile(r"0+")


class Parent(NamedTuple):
    """What the caller's own part of a trace is called, and whether it is kept."""

    trace: str
    span: str
    sampled: bool


class Spans(Protocol):
    """Where the parts of traces are sent."""

    def ended(
        self, parent: Parent | None, *, name: str, seconds: float, facts: dict[str, Any]
    ) -> Parent:
        """A request is over that took so long. Returns what its own part is called."""


def parent_of(headers: Sequence[tuple[bytes, bytes]]) -> Parent | None:
    """The caller's part of a trace. None if there is none, or two, or one that cannot be read."""
    sent = [value for name, value in headers if name == HEADER]
    form = FORM.fullmatch(sent[0]) if len(sent) == 1 else None
    if form is None or (form["version"] == b"00" and form["more"]):
        return None
    trace, span = form["trace"].decode(), form["span"].decode()
    if NOBODY.fullmatch(trace) or NOBODY.fullmatch(span):
        return None
    return Parent(trace, span, sampled=bool(int(form["flags"], 16) & SAMPLED))
