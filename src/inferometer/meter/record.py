"""The ledger's row: one upstream attempt, what it used and what that cost.

A request that was retried or failed over is several rows, each billed once to the model that
served it. A row is a tuple, so that a gateway fills one in about a microsecond and a store binds
it as it is. It holds counts, names and times, never a prompt, a completion or a key.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, Protocol, cast, get_args

from inferometer.errors import LedgerError

Outcome = Literal["ok", "failed", "client_gone", "upstream_error", "timeout", "interrupted"]
"""How an attempt ended; `interrupted` is written for one that a crash of the gateway cut off."""
Basis = Literal["reported", "inconsistent", "cumulative", "estimated", "none"]
"""How token counts are known: see `inferometer.meter.usage`."""
CLASSES = (
    "uncached_input",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "output",
    "reasoning",
)
"""Classes of tokens, disjoint: every token is in one of them, and each has a price."""
SELF_HOSTED = "self-hosted"
"""The provider of an engine of our own, which bills nobody."""
LARGEST = 2**63 - 1
"""Largest integer that the stores hold: 9.2 billion dollars in nano-dollars."""
LONGEST_NAME = 1024
"""Characters of a name; a longer one is a fault of who sent it."""


class Attempt(NamedTuple):
    """One upstream attempt. Times are nanoseconds, amounts nano-dollars.

    Attributes:
        request: Id of the request, the same at every replay; time-ordered ids are stored fastest.
        attempt: 1 for the first attempt of the request, 2 for its retry, ...
        started_ns: Unix time at which the attempt was sent.
        ended_ns: Unix time of its last byte; a clock that was set back never makes it earlier
            than `started_ns`.
        tenant: Who pays: a property of the key.
        key: Id of the key, never the key.
        feature: Feature or product that asked.
        session: Conversation.
        run: Agent run.
        model: Model asked for.
        served: Model that answered, as the upstream names it.
        provider: Who bills: an API's provider id, or "self-hosted".
        upstream: The deployment or endpoint, as the configuration names it.
        route: Kind of call: chat, completions, embeddings, responses, messages.
        tier: Service tier as billed: "" for standard, batch, flex, priority.
        stream: Whether the answer was streamed.
        outcome: How it ended.
        status: HTTP status from the upstream; 0 if none came.
        queued_ns: Time in our own queue before it was sent.
        ttft_ns: Time from sending to the first token; None if not seen.
        prefill_ns: Time of the prompt as the engine reports it (llama.cpp `prompt_ms`).
        decode_ns: Time of generation as the engine reports it (llama.cpp `predicted_ms`).
        basis: How the token counts are known.
        uncached_input: Prompt tokens computed afresh.
        cache_read: Prompt tokens served from a cache.
        cache_write_5m: Prompt tokens written to a cache for five minutes.
        cache_write_1h: Prompt tokens written to a cache for an hour.
        output: Visible generated tokens.
        reasoning: Hidden generated tokens.
        price: Id of the price row; "" if unpriced.
        priced_from: Day from which that row holds, ISO; "" if unpriced.
        nano_uncached_input: Amount for a class of tokens; all six are None if unpriced.
        nano_cache_read: Likewise.
        nano_cache_write_5m: Likewise.
        nano_cache_write_1h: Likewise.
        nano_output: Likewise.
        nano_reasoning: Likewise.
        flags: What an auditor should know, sorted words joined by commas.
        source: Who recorded it: gateway, litellm, langfuse, otel.
    """

    request: str
    attempt: int
    started_ns: int
    ended_ns: int
    tenant: str
    key: str = ""
    feature: str = ""
    session: str = ""
    run: str = ""
    model: str = ""
    served: str = ""
    provider: str = ""
    upstream: str = ""
    route: str = ""
    tier: str = ""
    stream: bool = False
    outcome: Outcome = "ok"
    status: int = 0
    queued_ns: int = 0
    ttft_ns: int | None = None
    prefill_ns: int | None = None
    decode_ns: int | None = None
    basis: Basis = "reported"
    uncached_input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    price: str = ""
    priced_from: str = ""
    nano_uncached_input: int | None = None
    nano_cache_read: int | None = None
    nano_cache_write_5m: int | None = None
    nano_cache_write_1h: int | None = None
    nano_output: int | None = None
    nano_reasoning: int | None = None
    flags: str = ""
    source: str = "gateway"

    @property
    def tokens(self) -> tuple[int, ...]:
        """Token counts in the order of `CLASSES`."""
        return cast("tuple[int, ...]", self[TOKENS])

    @property
    def inputs(self) -> int:
        """Prompt tokens, cached ones too."""
        return self.uncached_input + self.cache_read + self.cache_write_5m + self.cache_write_1h

    @property
    def nanos(self) -> int | None:
        """The whole amount in nano-dollars; None if unpriced."""
        amounts = self[NANOS]
        return None if amounts[0] is None else sum(cast("tuple[int, ...]", amounts))


FIRST_TOKEN = Attempt._fields.index("uncached_input")
FIRST_NANO = Attempt._fields.index("nano_uncached_input")
TOKENS = slice(FIRST_TOKEN, FIRST_TOKEN + len(CLASSES))
NANOS = slice(FIRST_NANO, FIRST_NANO + len(CLASSES))
"""Places of token counts and amounts in a row, in the order of `CLASSES`."""
_NAMES = tuple(name for name, kind in Attempt.__annotations__.items() if kind is str)
_COUNTS = ("status", "queued_ns", "started_ns", *CLASSES)
_OPTIONAL = ("ttft_ns", "prefill_ns", "decode_ns")


class Ledger(Protocol):
    """Where rows end: append-only, every row at most once.

    `append` returns once the rows are durable (they survive power loss, not only a crash of the
    process) and their rollups are updated in the same transaction; it returns how many were new.
    A row whose (request, attempt) is recorded already changes nothing. On `LedgerError` nothing
    was recorded and the same rows may be given again.
    """

    def append(self, rows: Sequence[Attempt]) -> int:
        """Record rows durably; return how many were new."""
        ...

    def remember(self, prices: Iterable[tuple[str, str]]) -> None:
        """Keep price rows, as (id, JSON): what the amounts of rows were made of."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...


def check(row: Attempt) -> None:
    """Refuse a row that no store can hold or no bill can be made of.

    Raises:
        LedgerError: naming request and field.
    """
    where = f"request {row.request!r:.80}"
    if not row.request or row.attempt < 1:
        raise LedgerError(f"{where}: needs an id and an attempt number of at least 1")
    for name in _NAMES:
        value = getattr(row, name)
        if len(value) > LONGEST_NAME or any(not c or 0xD800 <= c < 0xE000 for c in map(ord, value)):
            raise LedgerError(f"{where}: {name}: {LONGEST_NAME} characters of Unicode, no NUL")
    if row.outcome not in get_args(Outcome) or row.basis not in get_args(Basis):
        raise LedgerError(f"{where}: outcome {row.outcome!r} or basis {row.basis!r} is unknown")
    for name in (*_COUNTS, *(name for name in _OPTIONAL if getattr(row, name) is not None)):
        _check_count(getattr(row, name), f"{where}: {name}")
    if not row.started_ns <= row.ended_ns <= LARGEST:
        raise LedgerError(f"{where}: ends before it starts")
    _check_amounts(row, where)


def _check_amounts(row: Attempt, where: str) -> None:
    amounts = row[NANOS]
    if all(amount is None for amount in amounts):
        return
    for name, amount in zip(CLASSES, amounts, strict=True):
        _check_count(amount, f"{where}: nano_{name}")


def _check_count(value: object, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
        shown = "NaN" if isinstance(value, float) and math.isnan(value) else repr(value)
        raise LedgerError(f"{what} is {shown:.40}; a whole number from 0 to {LARGEST} is wanted")
