"""Budget events, told to an address of the operator: a soft limit passed, a hard limit reached.

Each is told once per account, limit and process, off the request's path, and again after a
restart; its `id` is the same then, so that a receiver can tell. The body is signed:
`X-Inferometer-Signature` is `sha256=` and the HMAC of the body in hex. No redirect is followed.
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from inferometer.meter.budget import SEPARATOR
from inferometer.meter.config import Limit

Kind = Literal["soft_limit_passed", "hard_limit_reached"]
PAUSES_S = (0.0, 1.0, 5.0)
"""Waits before each try. Our own choice, as are the next two."""
TIMEOUT_S = 5.0
MOST_TOLD = 10_000
"""Accounts that are remembered as told; beyond it the memory starts anew."""


@dataclass(slots=True)
class Webhook:
    """Where events go.

    Attributes:
        url: Address.
        secret: Key of the signature.
        on_failure: Called when an event could not be told.
        pauses: Waits before each try, seconds.
    """

    url: str
    secret: bytes
    on_failure: Callable[[], None]
    pauses: tuple[float, ...] = PAUSES_S
    _told: set[str] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def tell(self, kind: Kind, account: str, limit: Limit, spent_nano: int) -> None:
        """Tell an event unless it was told; returns at once.

        Args:
            kind: What happened.
            account: Id of the account: limit, subject and start of the period.
            limit: The limit.
            spent_nano: What is known to be spent, nano-dollars.
        """
        name = f"{kind}{SEPARATOR}{account}"
        if name in self._told:
            return
        if len(self._told) >= MOST_TOLD:
            self._told.clear()
        self._told.add(name)
        _, subject, start = account.split(SEPARATOR)
        body = msgspec.json.encode(
            {
                "id": hashlib.blake2b(name.encode(), digest_size=16).hexdigest(),
                "event": kind,
                "budget": limit.name,
                "by": limit.by,
                "subject": subject,
                "period": limit.period,
                "period_start": start,
                "hard_usd": limit.hard_usd,
                "soft_usd": limit.soft_usd,
                "spent_nano_usd": spent_nano,
                "at": int(time.time()),
            }
        )
        task = asyncio.get_running_loop().create_task(self._deliver(body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, body: bytes) -> None:
        for pause in self.pauses:
            await asyncio.sleep(pause)
            try:
                await asyncio.to_thread(_post, self.url, body, self.signature(body))
            except (OSError, HTTPException):
                continue
            return
        self.on_failure()

    def signature(self, body: bytes) -> str:
        """Return what the receiver compares."""
        return "sha256=" + hmac.new(self.secret, body, hashlib.sha256).hexdigest()


def _post(url: str, body: bytes, signature: str) -> None:
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    headers = {"content-type": "application/json", "x-inferometer-signature": signature}
    with closing(kind(parts.netloc, timeout=TIMEOUT_S)) as connection:
        connection.request("POST", parts.path or "/", body, headers)
        status = connection.getresponse().status
    if not 200 <= status < 300:
        raise HTTPException(f"status {status}")
