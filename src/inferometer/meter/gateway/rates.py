"""Rates and concurrency of keys and tenants, charged at admission and corrected at the end.

A bucket holds one minute's worth and fills continuously. Tokens are taken before a request is sent,
by its largest possible use, and the unused part is given back: a burst of concurrent requests
cannot all pass on the same balance.
"""

from dataclasses import dataclass, field

from inferometer.meter.config import Key, Tenant

MINUTE = 60.0


@dataclass(slots=True)
class Bucket:
    """A minute's allowance; `level` may be negative after a correction."""

    per_minute: int
    level: float = field(init=False)
    at: float = 0.0

    def __post_init__(self) -> None:
        self.level = float(self.per_minute)

    def wait(self, amount: float, now: float) -> float:
        """Return the seconds until `amount` could be taken; 0 if it can be now.

        More than a minute's worth can be taken from a full bucket only.
        """
        if now > self.at:
            filled = (now - self.at) * self.per_minute / MINUTE
            self.level = min(float(self.per_minute), self.level + filled)
            self.at = now
        lacking = min(amount, self.per_minute) - self.level
        return max(0.0, lacking) * MINUTE / self.per_minute

    def take(self, amount: float) -> None:
        """Take, or with a negative amount give back."""
        self.level = min(float(self.per_minute), self.level - amount)


@dataclass(slots=True)
class Gate:
    """What one key or tenant may do at a time."""

    requests: Bucket | None
    tokens: Bucket | None
    concurrency: int = 0
    running: int = 0


def gate(limits: Key | Tenant | None) -> Gate:
    """Return the gate of a key or tenant; nothing is limited where 0 is given."""
    if limits is None:
        return Gate(None, None)
    per_minute, tokens = limits.requests_per_minute, limits.tokens_per_minute
    return Gate(
        Bucket(per_minute) if per_minute else None,
        Bucket(tokens) if tokens else None,
        limits.concurrency if isinstance(limits, Tenant) else 0,
    )


def admit(gates: tuple[Gate, ...], tokens: int, now: float) -> float:
    """Take a request of so many tokens from all gates, or from none.

    Returns:
        0 if it was admitted, else the seconds after which to try again.
    """
    for each in gates:
        if each.concurrency and each.running >= each.concurrency:
            return 1.0
    takings = [(each.requests, 1) for each in gates if each.requests]
    takings += [(each.tokens, tokens) for each in gates if each.tokens]
    waits = [bucket.wait(amount, now) for bucket, amount in takings]
    if waits and max(waits) > 0:
        return max(waits)
    for bucket, amount in takings:
        bucket.take(amount)
    for each in gates:
        each.running += 1
    return 0.0


def leave(gates: tuple[Gate, ...], reserved: int, used: int) -> None:
    """End a request: what it did not use is given back, what it used beyond is taken."""
    for each in gates:
        each.running -= 1
        if each.tokens:
            each.tokens.take(used - reserved)
