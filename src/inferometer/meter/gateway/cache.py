"""Answers kept in memory for requests that are the same to the byte; off unless sized.

A key is a keyed hash of tenant, route and body, so that no prompt is held and no tenant can ask
for another's answer. Answers are held in memory only, for a while, the least recently used leave
first. Streams and answers that did not end well are not kept.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic

from inferometer.meter.gateway.headers import FORWARDED
from inferometer.meter.gateway.reading import Call

LARGEST_SHARE = 8
"""An answer larger than this fraction of the cache is not kept."""
_OVERHEAD = 200
"""Bytes that an entry takes beyond its answer, roughly."""


_DECIDING = tuple(name for name in FORWARDED if not name.startswith(b"trace"))
"""Headers that are passed on and may change the answer."""


@dataclass(slots=True)
class Cache:
    """Answers by key.

    Attributes:
        capacity: Bytes; 0 keeps nothing.
        ttl: Seconds after which an answer is forgotten.
        size: Bytes now held.
    """

    capacity: int
    ttl: float
    size: int = 0
    _held: OrderedDict[bytes, tuple[float, bytes]] = field(default_factory=OrderedDict)

    def get(self, key: bytes) -> bytes | None:
        """Return the answer that is held for a key, if it is young enough."""
        found = self._held.get(key)
        if found is None:
            return None
        if monotonic() >= found[0]:
            self._drop(key)
            return None
        self._held.move_to_end(key)
        return found[1]

    def put(self, key: bytes, answer: bytes) -> None:
        """Hold an answer; what was used longest ago makes room."""
        if len(answer) > self.capacity // LARGEST_SHARE:
            return
        if key in self._held:
            self._drop(key)
        self._held[key] = monotonic() + self.ttl, answer
        self.size += len(answer) + _OVERHEAD
        while self.size > self.capacity:
            self._drop(next(iter(self._held)))

    def clear(self) -> None:
        """Forget all answers: another upstream or model may answer now."""
        self._held.clear()
        self.size = 0

    def _drop(self, key: bytes) -> None:
        _, answer = self._held.pop(key)
        self.size -= len(answer) + _OVERHEAD


def key_of(secret: bytes, tenant: str, call: Call, headers: Mapping[bytes, bytes]) -> bytes:
    """Return the key of a request: fields in any order are one request, all else is compared."""
    hashed = hashlib.blake2b(key=secret[:64], digest_size=32)
    parts = [tenant.encode(), call.route.name.encode()]
    parts += [headers.get(name, b"") for name in _DECIDING]
    for name in sorted(call.fields):
        parts += [name.encode(), bytes(call.fields[name])]
    for part in parts:
        hashed.update(len(part).to_bytes(8, "big") + part)
    return hashed.digest()
