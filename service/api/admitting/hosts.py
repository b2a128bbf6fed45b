"""Which names this service answers to."""

import re
from typing import Final

HOST: Final = re.compile(rb"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(?::(?P<port>[0-9]*))?")
"""A Host as programs send it (RFC 9110, 7.2), without what only makes it hard to read."""


def is_host(value: bytes) -> bool:
    """Whether a `Host` header names a host, or nobody, as a request without an authority does."""
    return not value or HOST.fullmatch(value) is not None


class Hosts:
    """The names that are answered to, as the operator lists them. All of them if there is none.

    `quotes.example` stands for every port, `quotes.example:8443` for one, and `*.example` for
    every name that ends so.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self._exact = frozenset(name.lower() for name in names if not name.startswith("*"))
        self._endings = tuple(name[1:].lower() for name in names if name.startswith("*"))

    def __bool__(self) -> bool:
        return bool(self._exact or self._endings)

    def answers_to(self, value: bytes) -> bool:
        """Whether a `Host` header names this service."""
        if not self:
            return True
        whole = value.decode("latin-1").lower()
        form = HOST.fullmatch(value)
        if form is None:
            return False
        name = form["name"].decode().lower()
        known = whole in self._exact or name in self._exact
        return known or name.endswith(self._endings)
