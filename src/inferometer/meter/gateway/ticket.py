"""What a request was admitted with, kept until it is settled."""

from dataclasses import dataclass

from inferometer.meter.budget import Reservation
from inferometer.meter.gateway.headers import Attribution
from inferometer.meter.gateway.keys import Identity
from inferometer.meter.gateway.rates import Gate
from inferometer.meter.gateway.reading import Call


@dataclass(slots=True)
class Ticket:
    """An admitted request.

    Attributes:
        request_id: Our id, ordered by time.
        identity: Who asked.
        attribution: What for.
        call: What was asked.
        gates: Rate limits it was taken from.
        tokens: Tokens taken from them.
        reservation: Money taken from budgets; None if no budget applies.
        salt: The tenant's salt of the prefix cache, as JSON.
        prefix: Salted hash of the conversation's start; empty unless a policy needs it.
        cache_key: Where the answer may be kept; empty for nowhere.
        used_tokens: Tokens used so far, over all attempts.
        cost: Nano-dollars spent so far; an unpriced attempt adds none.
    """

    request_id: str
    identity: Identity
    attribution: Attribution
    call: Call
    gates: tuple[Gate, ...]
    tokens: int
    reservation: Reservation | None
    salt: bytes = b""
    prefix: bytes = b""
    cache_key: bytes = b""
    used_tokens: int = 0
    cost: int = 0
