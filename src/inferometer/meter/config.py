"""The gateway's configuration file: TOML in, frozen records out, every fault named.

Secrets are never in the file: they are written `env:NAME` or `file:PATH` and read at start. Client
keys are there as keyed hashes only (`inferometer gateway key` makes them).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import SplitResult, urlsplit

import msgspec

from inferometer.catalog.names import nearest
from inferometer.errors import GatewayError
from inferometer.meter.addresses import endpoint, url_faults
from inferometer.meter.record import LARGEST, SELF_HOSTED
from inferometer.toml_file import read_toml

Priority = Literal["interactive", "standard", "batch"]
"""Classes in the order in which a queue serves them."""
Routing = Literal["least_loaded", "prefix", "cheapest"]
Dimension = Literal["key", "tenant", "session", "run", "model"]
Period = Literal["minute", "hour", "day", "month", "total"]
PRIORITIES: tuple[Priority, ...] = get_args(Priority)
NANO = 1_000_000_000
KEY_HASH_HEX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Certificate chain and key of the client side, PEM files."""

    certificate: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`[gateway]`: listeners, limits and times. Times are seconds, sizes bytes."""

    secret: str
    listen: str = "127.0.0.1:8080"
    control: str = "127.0.0.1:9090"
    workers: int = 1
    tls: Tls | None = None
    ledger: str = "ledger.db"
    prices: str = ""
    durability: Literal["window", "strict"] = "window"
    window_ms: int = 50
    on_ledger_failure: Literal["open", "closed"] = "open"
    unpriced: Literal["allow", "deny"] = "deny"
    max_body: int = 32 << 20
    max_header: int = 32 << 10
    max_headers: int = 100
    max_connections: int = 20_000
    max_choices: int = 8
    max_output_tokens: int = 131_072
    reserve_output_tokens: int = 4096
    header_timeout: float = 15.0
    body_timeout: float = 60.0
    keep_alive: float = 75.0
    connect_timeout: float = 5.0
    first_byte_timeout: float = 600.0
    idle_timeout: float = 120.0
    total_timeout: float = 3600.0
    queue: int = 512
    queue_timeout: float = 30.0
    attempts: int = 3
    on_disconnect: Literal["drain", "abort"] = "drain"
    drain_timeout: float = 60.0
    max_drains: int = 64
    lb_window: float = 30.0
    grace: float = 600.0
    reservation_ttl: float = 3700.0
    webhook: str = ""
    webhook_secret: str = ""
    cache_mib: int = 0
    cache_ttl: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """`[rows]`: a ClickHouse server's HTTP address that gets each raw row of the ledger too."""

    url: str
    database: str = "default"
    user: str = "default"
    password: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """`[[upstream]]`: one server or API. `models` maps public names to the upstream's own."""

    name: str
    url: str
    models: Mapping[str, str]
    provider: str = SELF_HOSTED
    key: str = ""
    routes: tuple[str, ...] = ("chat", "completions", "embeddings", "responses")
    weight: float = 1.0
    concurrency: int = 1024
    idle_connections: int = 512
    retire_after: float = 4.0
    failures: int = 5
    cooldown: float = 10.0
    health: str = ""
    health_every: float = 5.0
    ask_usage: bool = True
    cache_salt: bool = False

    def tier(self, named: str) -> str:
        """Return a service tier as it is billed: an engine of our own has none."""
        return "" if self.provider == SELF_HOSTED else named

    @property
    def address(self) -> SplitResult:
        """The URL by its parts."""
        return urlsplit(self.url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """`[[key]]`: who a caller is and what the key may do."""

    id: str
    hash: str
    tenant: str
    models: tuple[str, ...] = ("*",)
    routes: tuple[str, ...] = ("*",)
    priority: Priority = "standard"
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    expires: str = ""
    may_attribute: bool = False
    feature: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """`[[tenant]]`: limits over all keys of a tenant."""

    name: str
    concurrency: int = 0
    requests_per_minute: int = 0
    tokens_per_minute: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """`[[budget]]`: money per period; `match` is one value of the dimension, or `*` for each."""

    name: str
    by: Dimension
    match: str = "*"
    period: Period = "month"
    hard_usd: str = ""
    soft_usd: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole file."""

    gateway: Settings
    upstream: tuple[Upstream, ...]
    key: tuple[Key, ...] = ()
    tenant: tuple[Tenant, ...] = ()
    budget: tuple[Limit, ...] = ()
    rows: Rows | None = None
    routing: Mapping[str, Routing] = field(default_factory=dict)

    @property
    def models(self) -> tuple[str, ...]:
        """Public names of all models, sorted."""
        return tuple(sorted({name for upstream in self.upstream for name in upstream.models}))


def nanos(text: str) -> int:
    """Return a dollar amount as nano-dollars, exactly.

    Raises:
        GatewayError: not a non-negative decimal with at most nine places that a store can hold.
    """
    try:
        amount = Decimal(text) * NANO
    except ArithmeticError:
        raise GatewayError(f"{text!r:.40} is not an amount of dollars") from None
    if not amount.is_finite() or amount < 0 or (amount <= LARGEST and amount != int(amount)):
        raise GatewayError(f"{text!r:.40}: dollars, not negative, at most nine places")
    if amount > LARGEST:
        raise GatewayError(f"{text!r:.40}: at most {LARGEST // NANO:,} dollars can be counted")
    return int(amount)


def load(path: Path) -> Config:
    """Return the configuration in a TOML file.

    Raises:
        GatewayError: the file cannot be read, is no TOML, or says something wrong; all faults
            are named together.
    """
    return parse(read_toml(path, GatewayError), str(path))


def parse(raw: Mapping[str, Any], where: str) -> Config:
    """Return the configuration that a TOML document holds; `where` names it in messages."""
    unknown = list(_unknown(raw))
    if unknown:
        raise GatewayError("\n".join(f"{where}: {fault}" for fault in unknown))
    try:
        config = msgspec.convert(raw, type=Config)
    except msgspec.ValidationError as error:
        raise GatewayError(f"{where}: {error}") from None
    faults = list(_faults(config))
    if faults:
        raise GatewayError("\n".join(f"{where}: {fault}" for fault in faults))
    return config


_TABLES: Mapping[str, type] = {
    "gateway": Settings,
    "upstream": Upstream,
    "key": Key,
    "tenant": Tenant,
    "budget": Limit,
    "rows": Rows,
}


def _unknown(raw: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each key that no record has, with the nearest one."""
    known = [item.name for item in fields(Config)]
    for name, table in raw.items():
        if name not in known:
            yield f"{name}: unknown table{_hint(name, known)}"
        for one in table if isinstance(table, list) else [table]:
            if name in _TABLES and isinstance(one, Mapping):
                names = [item.name for item in fields(_TABLES[name])]
                yield from (
                    f"{name}.{key}: unknown{_hint(key, names)}" for key in one if key not in names
                )


def _hint(name: str, known: Iterable[str]) -> str:
    near = nearest(name, known)
    return f"; did you mean {near[0]}?" if near else ""


def _faults(config: Config) -> Iterator[str]:
    yield from _settings_faults(config.gateway)
    if config.rows:
        yield from (f"rows.url: {fault}" for fault in url_faults(config.rows.url))
    for upstream in config.upstream:
        yield from _upstream_faults(upstream)
    for kind, names in (
        ("upstream.name", [item.name for item in config.upstream]),
        ("key.id", [item.id for item in config.key]),
        ("key.hash", [item.hash for item in config.key]),
        ("tenant.name", [item.name for item in config.tenant]),
        ("budget.name", [item.name for item in config.budget]),
    ):
        yield from (f"{kind}: given twice: {name}" for name in _repeated(names))
    for key in config.key:
        yield from _key_faults(key, config)
    for limit in config.budget:
        yield from _limit_faults(limit)
    for model in config.routing:
        if model not in config.models:
            yield f"routing.{model}: no upstream serves it{_hint(model, config.models)}"


def _repeated(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def _settings_faults(settings: Settings) -> Iterator[str]:
    for item in fields(Settings):
        value = getattr(settings, item.name)
        if isinstance(value, (int, float)) and not 0 <= value < float("inf"):
            yield f"gateway.{item.name}: {value} is negative or not finite"
    for name in ("workers", "max_body", "attempts", "max_header", "max_headers", "max_connections"):
        if getattr(settings, name) < 1:
            yield f"gateway.{name}: at least 1"
    if settings.reservation_ttl <= settings.total_timeout:
        yield "gateway.reservation_ttl: must be longer than total_timeout"
    yield from _webhook_faults(settings)
    for name in ("listen", "control"):
        try:
            endpoint(getattr(settings, name))
        except GatewayError as error:
            yield f"gateway.{name}: {error}"


def _webhook_faults(settings: Settings) -> Iterator[str]:
    if settings.webhook:
        yield from (f"gateway.webhook: {fault}" for fault in url_faults(settings.webhook))
        if not settings.webhook_secret:
            yield "gateway.webhook_secret: missing: events are signed with it"


def _upstream_faults(upstream: Upstream) -> Iterator[str]:
    where = f"upstream {upstream.name!r:.60}"
    if not upstream.name.strip() or not upstream.models:
        yield f"{where}: needs a name and at least one model"
    if not 0 < upstream.weight < float("inf") or upstream.concurrency < 1:
        yield f"{where}: weight and concurrency must be positive"
    yield from (f"{where}.url: {fault}" for fault in url_faults(upstream.url))
    for public in upstream.models:
        if not public or len(public) > 256 or not public.isprintable():
            yield f"{where}.models: {public!r:.60} cannot be a model's name"


def _key_faults(key: Key, config: Config) -> Iterator[str]:
    where = f"key {key.id!r:.60}"
    if not key.id.strip() or not key.tenant.strip():
        yield f"{where}: id and tenant may not be empty"
    if len(key.hash) != KEY_HASH_HEX or any(c not in "0123456789abcdef" for c in key.hash):
        yield f"{where}.hash: 64 lower-case hex digits, as `inferometer gateway key` prints"
    for model in key.models:
        if model != "*" and model not in config.models:
            yield f"{where}.models: no upstream serves {model!r:.60}{_hint(model, config.models)}"
    if min(key.requests_per_minute, key.tokens_per_minute) < 0:
        yield f"{where}: limits may not be negative; 0 is no limit"


def _limit_faults(limit: Limit) -> Iterator[str]:
    where = f"budget {limit.name!r:.60}"
    if not limit.hard_usd and not limit.soft_usd:
        yield f"{where}: needs hard_usd or soft_usd"
    for name in ("hard_usd", "soft_usd"):
        try:
            _ = nanos(getattr(limit, name)) if getattr(limit, name) else None
        except GatewayError as error:
            yield f"{where}.{name}: {error}"
