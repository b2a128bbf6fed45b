"""The environment, read once at start into one frozen value. A mistake stops the start."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from service.cache import InvalidRedisAddress, redis_address
from service.core.draws.memo import DEFAULT_MAX_BYTES as MEMO_MAX_BYTES

PREFIX = "RUNQUOTE_"
SECRETS = frozenset({"cache_key", "metrics_token"})

Port: TypeAlias = Annotated[int, Meta(ge=0, le=65535)]


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of an operator. Each is read from `RUNQUOTE_` and its name in capitals."""

    host: Annotated[str, Meta(min_length=1, description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Port to listen on; 0 takes a free one.")] = 8000
    redis_url: Annotated[
        str, Meta(description="Redis that replicas share; empty means the in-memory cache alone.")
    ] = ""
    redis_timeout_s: Annotated[
        float, Meta(ge=0.001, le=5.0, description="How long a request may wait for Redis.")
    ] = 0.1
    cache_memory_bytes: Annotated[
        int, Meta(ge=0, le=2**40, description="Bound of the in-memory cache.")
    ] = 64 * 2**20
    memo_max_bytes: Annotated[
        int,
        Meta(
            ge=0,
            le=2**40,
            description="Bound of the memory of draws, rows and bases that quotes share.",
        ),
    ] = MEMO_MAX_BYTES
    cache_ttl_s: Annotated[
        int, Meta(ge=1, le=365 * 86400, description="How long Redis keeps a quote.")
    ] = 30 * 86400
    cache_shared_max_bytes: Annotated[
        int,
        Meta(
            ge=1024,
            le=2**28,
            description="Largest answer that Redis keeps; a larger one stays in memory.",
        ),
    ] = 32 * 2**20
    cache_key: Annotated[
        str,
        Meta(
            pattern=r"^(.{16,})?$",
            description="Secret that answers in Redis are signed with, the same in all replicas; "
            "16 characters or more. Without it they are checked against accidents only.",
        ),
    ] = ""
    body_max_bytes: Annotated[
        int, Meta(ge=1024, le=2**26, description="Largest request body; a larger one gets 413.")
    ] = 2**20
    body_timeout_s: Annotated[
        float, Meta(gt=0, le=600, description="How long a request body may take to arrive.")
    ] = 15.0
    batch_max_lines: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Most lines of one batch.")
    ] = 10_000
    batch_max_bytes: Annotated[
        int, Meta(ge=1024, le=2**30, description="Most bytes of one batch.")
    ] = 2**26
    batch_max_cpu_s: Annotated[
        float,
        Meta(gt=0, le=86400, description="Most work of one batch, in estimated CPU seconds."),
    ] = 600.0
    shutdown_timeout_s: Annotated[
        int, Meta(ge=0, le=600, description="How long requests in flight may take on shutdown.")
    ] = 10
    drain_s: Annotated[
        float,
        Meta(
            ge=0,
            le=600,
            description="How long requests are still taken after SIGTERM, until balancers notice.",
        ),
    ] = 2.0
    connections_max: Annotated[
        int,
        Meta(ge=10, le=100_000, description="Connections at once; idle ones give way to new ones."),
    ] = 1000
    compute_workers: Annotated[
        int,
        Meta(
            ge=0,
            le=64,
            description="Processes for costly quotes; with 0 they are computed beside requests.",
        ),
    ] = 1
    compute_beside_s: Annotated[
        float,
        Meta(ge=0, le=60, description="Longest a quote may take to be computed beside requests."),
    ] = 0.04
    compute_max_s: Annotated[
        float,
        Meta(gt=0, le=3600, description="Longest a quote may take at all; a longer one gets 422."),
    ] = 10.0
    compute_deadline_s: Annotated[
        float, Meta(gt=0, le=3600, description="When a costly quote is given up, with 503.")
    ] = 20.0
    compute_queue_s: Annotated[
        float,
        Meta(gt=0, le=3600, description="Seconds of work that may wait; more gets 503."),
    ] = 5.0
    catalog_dir: Annotated[
        str, Meta(description="Folder of later editions; empty means the embedded catalog alone.")
    ] = ""
    catalog_poll_s: Annotated[
        float,
        Meta(
            ge=0.05, le=3600, description="How often that folder and the price book are looked at."
        ),
    ] = 5.0
    price_book: Annotated[
        str, Meta(description="Directory of negotiated rates; empty means there are none.")
    ] = ""
    stale_price_days: Annotated[
        int,
        Meta(
            ge=1,
            le=36500,
            description="Age today from which a price is called stale, in headers and `today`.",
        ),
    ] = 90
    cors_origins: Annotated[
        str,
        Meta(
            pattern=r"^(\*|https?://[^\s,/*]+( https?://[^\s,/*]+)*)?$(?!\n)",
            max_length=4096,
            description="Origins whose pages may read answers, with spaces between them, or *; "
            "empty means none.",
        ),
    ] = ""
    keys_file: Annotated[
        str,
        Meta(
            description="File of callers' keys, made by `runquote keys new`; empty means that "
            "nobody needs one."
        ),
    ] = ""
    open: Annotated[
        bool,
        Meta(
            description="Whether anybody may ask who reaches an address that is not loopback; "
            "without keys, such a start is refused unless this is 1."
        ),
    ] = False
    quota_cpu_s: Annotated[
        float,
        Meta(
            ge=0,
            le=1e6,
            description="CPU seconds of quotes that one caller may ask for in a minute, unless its "
            "key says otherwise; 0 is no quota. A caller without a key is an address.",
        ),
    ] = 0.0
    allowed_hosts: Annotated[
        str,
        Meta(
            pattern=r"^([^\s,]+( [^\s,]+)*)?$(?!\n)",
            max_length=4096,
            description="Hosts that this service answers to, with spaces between them, such as "
            "`quotes.example:8443 *.example`; empty means all.",
        ),
    ] = ""
    metrics_port: Annotated[
        Port | None,
        Meta(description="Port where metrics are read, and then nowhere else; unset means `port`."),
    ] = None
    metrics_token: Annotated[
        str,
        Meta(
            pattern=r"^(.{16,})?$",
            description="Bearer token that metrics are read with on `port`; 16 characters or more.",
        ),
    ] = ""
    traces: Annotated[
        bool,
        Meta(
            description="Whether spans of requests are sent to where the OTEL_* variables say; it "
            "takes the extra `traces`."
        ),
    ] = False
    mcp: Annotated[
        bool,
        Meta(
            description="Whether agents may call the tools of docs/agents.md under `/mcp`; it "
            "takes the extra `mcp`."
        ),
    ] = False
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="Lowest level that is logged."),
    ] = "info"
    log_format: Annotated[
        Literal["json", "console"], Meta(description="JSON lines, or colours for a terminal.")
    ] = "json"

    def redacted(self) -> dict[str, Any]:
        """The settings as they may be printed, with `***` for secrets."""
        return {
            name: shown(name, value) if isinstance(value, str) else value
            for name, value in msgspec.to_builtins(self).items()
        }


class SettingsError(Exception):
    """The environment holds settings that cannot be used"""


def load_settings(environment: Mapping[str, str]) -> Settings:
    """Settings from the `RUNQUOTE_*` variables. Raises `SettingsError` with all mistakes."""
    fields = {field.name: field for field in msgspec.structs.fields(Settings)}
    values: dict[str, Any] = {}
    mistakes: list[str] = []
    for variable, text in sorted(environment.items()):
        if not variable.startswith(PREFIX):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in fields or variable != variable.upper():
            known = ", ".join(PREFIX + field.upper() for field in fields)
            mistakes.append(f"{variable} is not a setting; the settings are {known}")
            continue
        try:
            values[name] = msgspec.convert(text, fields[name].type, strict=False)
            if name == "redis_url" and text:
                redis_address(text)
        except (msgspec.ValidationError, InvalidRedisAddress) as error:
            mistakes.append(f"{variable}={shown(name, text)!r}: {error}")
    if mistakes:
        raise SettingsError("\n".join(mistakes))
    settings = Settings(**values)
    _check_open(settings)
    return settings


def _check_open(settings: Settings) -> None:
    """Refuse a service that anybody may ask without anybody having said so."""
    if settings.open or settings.keys_file or is_loopback(settings.host):
        return
    raise SettingsError(
        f"RUNQUOTE_HOST={settings.host!r} is reached from other machines, and nobody needs a key: "
        "set RUNQUOTE_OPEN=1 if that is meant, or RUNQUOTE_KEYS_FILE to a file of keys"
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address. A name other than localhost may be anything."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def shown(name: str, text: str) -> str:
    """The text of a setting as it may be printed."""
    if name == "redis_url":
        return redact(text)
    return "***" if name in SECRETS and text else text


def redact(url: str) -> str:
    """A Redis address without credentials."""
    if not url:
        return ""
    try:
        return str(redis_address(url))
    except InvalidRedisAddress:
        return "***"
