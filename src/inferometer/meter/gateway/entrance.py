"""Where a request comes in: route, key, body, scope, rates, money; then it is an exchange.

The order matters: nothing of a body is read for a caller without a key, and nothing is taken from
a budget for a request that will not be sent.
"""

import time
from time import monotonic
from typing import Any, NamedTuple

import msgspec

from inferometer.errors import LedgerError
from inferometer.meter.budget import Denial, Reservation, Subject
from inferometer.meter.gateway import headers, rates, reading, replies, routes
from inferometer.meter.gateway.cache import key_of
from inferometer.meter.gateway.client import ClientConnection, Request
from inferometer.meter.gateway.core import Core
from inferometer.meter.gateway.exchange import Exchange
from inferometer.meter.gateway.headers import Attribution, AttributionError
from inferometer.meter.gateway.keys import Identity, identify
from inferometer.meter.gateway.reading import Call, RefusedError
from inferometer.meter.gateway.routes import Route
from inferometer.meter.gateway.servers import prefix_of
from inferometer.meter.gateway.ticket import Ticket
from inferometer.meter.record import CLASSES, SELF_HOSTED, Attempt
from inferometer.meter.usage import BYTES_PER_TOKEN


class _RefusalError(Exception):
    """A refusal: status, text, code, headers beyond the usual ones, and the field at fault."""

    def __init__(
        self, status: int, text: str, code: str, lines: bytes = b"", field: str = ""
    ) -> None:
        super().__init__(text)
        self.status, self.text, self.code, self.lines, self.field = status, text, code, lines, field

    def body(self, family: str) -> bytes:
        """Return it as the API of this family words it."""
        return replies.body(family, self.text, self.code, status=self.status, field=self.field)


def handle(core: Core, client: ClientConnection, request: Request) -> None:
    """Answer a request, or start its exchange."""
    path = request.target.partition(b"?")[0]
    client.draining = core.draining
    route = routes.METERED.get(path)
    family = "openai" if route is None else route.family
    request_id = core.fresh_id()
    try:
        if route is None:
            _unmetered(core, client, request, path)
            return
        asked = _asked(core, request, route)
        found = core.cache.get(asked.cache_key) if asked.cache_key else None
        if found is not None:
            _from_cache(core, client, asked, request_id, found)
            return
        ticket = _admitted(core, asked, request_id)
    except _RefusalError as refusal:
        core.measures.refused(refusal.code)
        lines = b"%bx-request-id: %b\r\n%b" % (replies.JSON, request_id.encode(), refusal.lines)
        client.reply(refusal.status, lines, refusal.body(family))
        return
    Exchange(core, client, request, ticket).start()


def _unmetered(core: Core, client: ClientConnection, request: Request, path: bytes) -> None:
    if request.method not in {b"GET", b"HEAD"}:
        if path in {routes.MODELS, *routes.PROBES}:
            raise _RefusalError(405, "use GET", "method_not_allowed", b"allow: GET\r\n")
    elif path in routes.PROBES:
        probe(core, client, path)
        return
    elif path == routes.MODELS:
        _models(core, client, _identity(core, request))
        return
    raise _RefusalError(404, "no such route", "not_found")


def probe(core: Core, client: ClientConnection, path: bytes) -> None:
    """Answer a probe: whether the process lives, or whether it should be sent requests."""
    good = path == routes.LIVE or is_ready(core)
    client.reply(200 if good else 503, replies.TEXT, b"ok\n" if good else b"not ready\n")


def is_ready(core: Core) -> bool:
    """Return whether new requests should be sent here."""
    closed = core.ledger.failed and core.settings.on_ledger_failure == "closed"
    return not core.draining and not closed


def _models(core: Core, client: ClientConnection, identity: Identity) -> None:
    allowed = identity.models
    names = [x for x in core.world.config.models if allowed is None or x in allowed]
    rows = [{"id": x, "object": "model", "created": 0, "owned_by": "inferometer"} for x in names]
    client.reply(200, replies.JSON, msgspec.json.encode({"object": "list", "data": rows}))


def _identity(core: Core, request: Request) -> Identity:
    world = core.world
    identity = identify(world.ring, world.secret, request.headers, time.time())
    if identity is None:
        raise _RefusalError(401, "no valid API key", "invalid_api_key", replies.NO_RETRY)
    return identity


class _Asked(NamedTuple):
    """A request that may be made: who, what, what for, and where its answer may be kept."""

    identity: Identity
    call: Call
    attribution: Attribution
    cache_key: bytes


def _asked(core: Core, request: Request, route: Route) -> _Asked:
    if request.method != b"POST":
        raise _RefusalError(405, "use POST", "method_not_allowed", b"allow: POST\r\n")
    identity = _identity(core, request)
    if core.ledger.failed and core.settings.on_ledger_failure == "closed":
        raise _RefusalError(503, "usage cannot be recorded now", "ledger_unavailable")
    call = _call(core, request, route)
    _check_scope(core, identity, call)
    key = b""
    if core.cache.capacity and not call.stream and b"cache-control" not in request.headers:
        key = key_of(core.world.secret, identity.key.tenant, call, request.headers)
    return _Asked(identity, call, _attribution(identity, request), key)


def _from_cache(
    core: Core, client: ClientConnection, asked: _Asked, request_id: str, found: bytes
) -> None:
    """Answer from memory: a row without tokens, as no upstream saw the request, at no cost."""
    key, call, paid_for, now = asked.identity.key, asked.call, asked.attribution, time.time_ns()
    nothing: dict[str, Any] = {f"nano_{name}": 0 for name in CLASSES}
    row = Attempt(
        request_id, 1, now, now, key.tenant, key.id, paid_for.feature, paid_for.session,
        paid_for.run, call.model, provider=SELF_HOSTED, upstream="cache",
        route=call.route.name, status=200, basis="none", price="cache", flags="cache_hit",
        **nothing,
    )  # fmt: skip
    core.ledger.append(row)
    core.measures.attempt(row)
    core.measures.cache_hit(call.model)
    lines = b"%bx-request-id: %b\r\nx-inferometer-cache: hit\r\n"
    head = lines % (replies.JSON, request_id.encode())
    core.ledger.when_told(lambda: client.reply(200, head, found))


def _admitted(core: Core, asked: _Asked, request_id: str) -> Ticket:
    identity, call, attribution, cache_key = asked
    gates, tokens = _take_rates(core, identity, call)
    try:
        reservation = _reserve(core, identity, attribution, call)
    except _RefusalError:
        rates.leave(gates, tokens, 0)
        raise
    return Ticket(
        request_id=request_id,
        identity=identity,
        attribution=attribution,
        call=call,
        gates=gates,
        tokens=tokens,
        reservation=reservation,
        salt=core.world.salts.get(identity.key.tenant, b""),
        prefix=_prefix(core, identity, call),
        cache_key=cache_key,
    )


def _call(core: Core, request: Request, route: Route) -> Call:
    try:
        return reading.read(route, request.body, core.settings)
    except RefusedError as error:
        text = f"{error.field}: {error}"
        raise _RefusalError(400, text, "invalid_request", field=error.field) from None


def _check_scope(core: Core, identity: Identity, call: Call) -> None:
    if identity.routes is not None and call.route.name not in identity.routes:
        raise _RefusalError(403, "this key may not use this route", "route_not_allowed")
    known = (call.model, call.route.name) in core.world.by_model
    if not known or (identity.models is not None and call.model not in identity.models):
        raise _RefusalError(404, "no such model for this key on this route", "model_not_found")


def _attribution(identity: Identity, request: Request) -> Attribution:
    try:
        return headers.attribution(identity, request.headers)
    except AttributionError as error:
        raise _RefusalError(400, f"{error}: letters, digits and ._:/-", "invalid_header") from None


def _take_rates(core: Core, identity: Identity, call: Call) -> tuple[tuple[rates.Gate, ...], int]:
    world = core.world
    gates = (world.key_gates[identity.key.id], world.tenant_gates[identity.key.tenant])
    outputs = call.outputs(core.settings.reserve_output_tokens)
    tokens = call.size // BYTES_PER_TOKEN + outputs
    wait = rates.admit(gates, tokens, monotonic())
    if wait:
        lines = b"retry-after: %d\r\n" % max(1, round(wait + 0.5))
        raise _RefusalError(429, "rate limit of this key or tenant", "rate_limited", lines)
    return gates, tokens


def _reserve(
    core: Core, identity: Identity, attribution: Attribution, call: Call
) -> Reservation | None:
    if not core.budgets.rules:
        return None
    key = identity.key
    subject: Subject = {
        "key": key.id,
        "tenant": key.tenant,
        "session": attribution.session,
        "run": attribution.run,
        "model": call.model,
    }
    bounds = [
        core.bound(call, server) for server in core.world.by_model[call.model, call.route.name]
    ]
    if None in bounds and core.settings.unpriced == "deny" and core.budgets.bounds(subject):
        text = "this model has no price, and a budget applies to the key"
        raise _RefusalError(402, text, "unpriced_model", replies.NO_RETRY)
    amount = max((bound for bound in bounds if bound is not None), default=0)
    try:
        taken = core.budgets.reserve(subject, amount, time.time())
    except LedgerError:
        core.measures.ledger_error()
        if core.settings.on_ledger_failure == "closed":
            raise _RefusalError(503, "budgets cannot be kept now", "ledger_unavailable") from None
        return None
    if isinstance(taken, Denial):
        if core.webhook is not None:
            account = taken.account
            core.webhook.tell("hard_limit_reached", account.id, taken.limit, account.spent)
        text = f"the budget {taken.limit.name} ({taken.limit.by}, {taken.limit.period}) is used up"
        raise _RefusalError(402, text, "budget_exceeded", replies.NO_RETRY)
    return taken


def _prefix(core: Core, identity: Identity, call: Call) -> bytes:
    if core.world.config.routing.get(call.model) != "prefix":
        return b""
    start = call.fields.get("messages") or call.fields.get("prompt") or call.fields.get("input")
    return prefix_of(core.world.secret, identity.key.tenant, bytes(start or b""))
