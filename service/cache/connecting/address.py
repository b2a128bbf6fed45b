"""Where the Redis is: one URL for a single server, a Sentinel group or a Cluster.

    redis://[[user]:password@]host[:port][/db]
    redis+sentinel://[[user]:password@]host[:port][,host[:port]...]/master[/db]
    redis+cluster://[[user]:password@]host[:port][,host[:port]...]

`rediss` in place of `redis` means TLS, with the peer's certificate verified. User and password
are those of the servers that keep the data. They are percent-encoded if they hold `:`, `@`, `/`,
`?`, `#` or `%`. IPv6 hosts stand in brackets. The default port is 6379, and 26379 for Sentinel.

Options follow as a query: `ssl_ca_certs`, `ssl_certfile` and `ssl_keyfile` (paths, with TLS; the
authorities of `ssl_ca_certs` are trusted in place of the system's), `sentinel_username` and
`sentinel_password` (if the sentinels have credentials of their own). Timeouts and retries are not
options. The service sets them.
"""

from collections.abc import Iterable
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote

from msgspec import Struct

Kind = Literal["single", "sentinel", "cluster"]

_KINDS: Final[dict[str, tuple[Kind, bool]]] = {
    "redis": ("single", False),
    "rediss": ("single", True),
    "redis+sentinel": ("sentinel", False),
    "rediss+sentinel": ("sentinel", True),
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
}
_TLS_OPTIONS: Final = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})
_SENTINEL_OPTIONS: Final = frozenset({"sentinel_username", "sentinel_password"})
_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379
_MAX_DATABASE: Final = 65_535


class InvalidRedisAddress(ValueError):
    """The Redis address cannot be read; the message never repeats a user or a password"""


class RedisAddress(Struct, frozen=True, kw_only=True):
    """A Redis to connect to. Its text form leaves credentials out and is fit for a log."""

    kind: Kind
    tls: bool
    nodes: tuple[tuple[str, int], ...]
    username: str | None = None
    password: str | None = None
    database: int = 0
    master: str | None = None
    ssl_ca_certs: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    sentinel_username: str | None = None
    sentinel_password: str | None = None

    def __str__(self) -> str:
        scheme = ("rediss" if self.tls else "redis") + (
            "" if self.kind == "single" else f"+{self.kind}"
        )
        nodes = ",".join(
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.nodes
        )
        master = f"/{self.master}" if self.master else ""
        database = f"/{self.database}" if self.database else ""
        return f"{scheme}://{nodes}{master}{database}"

    __repr__ = __str__


def redis_address(url: str) -> RedisAddress:
    """The address that `url` gives, read as the module describes. Raises InvalidRedisAddress."""
    scheme, separator, rest = url.strip().partition("://")
    if not separator or scheme not in _KINDS:
        raise InvalidRedisAddress(f"a Redis address begins with one of {_listed(_KINDS)}, then ://")
    kind, tls = _KINDS[scheme]
    if "#" in rest:
        raise InvalidRedisAddress("a Redis address has no fragment; write # as %23")
    place, _, query = rest.partition("?")
    authority, _, path = place.partition("/")
    credentials, at, hosts = authority.rpartition("@")
    username, password = _credentials(credentials) if at else (None, None)
    master, database = _path(path, kind=kind)
    return RedisAddress(
        kind=kind,
        tls=tls,
        nodes=_nodes(hosts, kind=kind),
        username=username,
        password=password,
        master=master,
        database=database,
        **_options(query, kind=kind, tls=tls),
    )


def _credentials(text: str) -> tuple[str | None, str]:
    username, colon, password = text.partition(":")
    if not colon or not password:
        raise InvalidRedisAddress("a Redis address names a user only together with a password")
    return unquote(username) or None, unquote(password)


def _nodes(hosts: str, *, kind: Kind) -> tuple[tuple[str, int], ...]:
    nodes = tuple(_node(host, kind=kind) for host in hosts.split(","))
    if kind == "single" and len(nodes) > 1:
        raise InvalidRedisAddress("several hosts need redis+sentinel or redis+cluster")
    return nodes


def _node(text: str, *, kind: Kind) -> tuple[str, int]:
    default_port = _SENTINEL_PORT if kind == "sentinel" else _PORT
    if text.startswith("["):
        host, bracket, tail = text[1:].partition("]")
        colon, port = tail[:1], tail[1:]
        well_formed = bool(bracket) and tail[:1] in ("", ":")
    else:
        host, colon, port = text.partition(":")
        well_formed = True
    if not host or not well_formed or any(character.isspace() for character in host):
        raise InvalidRedisAddress(f"not a host: {text!r}")
    if not colon:
        return host, default_port
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise InvalidRedisAddress(f"not a port: {text!r}")
    return host, int(port)


def _path(path: str, *, kind: Kind) -> tuple[str | None, int]:
    parts = [unquote(part) for part in path.split("/")] if path else []
    master = None
    if kind == "sentinel":
        if not parts or not parts[0]:
            raise InvalidRedisAddress("a Sentinel address names the master: .../master[/db]")
        master = parts.pop(0)
    text = parts.pop(0) if parts else ""
    if parts or (text and not (text.isascii() and text.isdigit())):
        raise InvalidRedisAddress("the path of a Redis address holds a database number at most")
    database = int(text or 0)
    if database > (0 if kind == "cluster" else _MAX_DATABASE):
        raise InvalidRedisAddress(f"there is no database {database} in a Redis of kind {kind}")
    return master, database


def _options(query: str, *, kind: Kind, tls: bool) -> dict[str, str]:
    known = (_TLS_OPTIONS if tls else frozenset()) | (
        _SENTINEL_OPTIONS if kind == "sentinel" else frozenset()
    )
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            raise InvalidRedisAddress(
                f"{name!r} is no option of this Redis address; it knows {_listed(known) or 'none'}"
            )
        if name in options or not value:
            raise InvalidRedisAddress(f"option {name!r} is given once, with a value")
        options[name] = value
    return options


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
