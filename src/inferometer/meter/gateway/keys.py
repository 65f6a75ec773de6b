"""Who is calling: keyed hashes of API keys, never the keys.

A token is looked up by the whole of its keyed hash, so that the time taken says nothing about any
key, two tokens that begin alike stay two, and a leaked configuration cannot be replayed. Tenant,
scope and priority are properties of the key: a caller cannot name its own.
"""

import datetime as dt
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from inferometer.errors import GatewayError
from inferometer.meter.config import Key

LONGEST_TOKEN = 512
_BEARER = b"bearer "


@dataclass(frozen=True, slots=True)
class Identity:
    """A key as compiled for look-up.

    Attributes:
        key: Its configuration.
        digest: Its keyed hash.
        models: Names it may use; None for all.
        routes: Routes it may use; None for all.
        expires: Unix seconds after which it is refused; infinity for never.
    """

    key: Key
    digest: bytes
    models: frozenset[str] | None
    routes: frozenset[str] | None
    expires: float


Ring = Mapping[bytes, Identity]


def digest(secret: bytes, token: bytes) -> bytes:
    """Return the keyed hash of a token."""
    return hashlib.blake2b(token, key=secret[:64], digest_size=32).digest()


def mint(secret: bytes) -> tuple[str, str]:
    """Return a new token and its keyed hash in hex."""
    token = "ifm-" + secrets.token_urlsafe(32)
    return token, digest(secret, token.encode()).hex()


def ring(keys: Iterable[Key]) -> Ring:
    """Return the identities by keyed hash.

    Raises:
        GatewayError: an expiry is no point in time with a zone.
    """
    return {bytes.fromhex(key.hash): _identity(key) for key in keys}


def identify(
    ring: Ring, secret: bytes, headers: Mapping[bytes, bytes], now: float
) -> Identity | None:
    """Return who sent these headers, or None.

    The key stands in `Authorization: Bearer` or in `x-api-key`; if both are given, they must be the
    same, else a proxy between could have checked the other one.
    """
    bearer = headers.get(b"authorization")
    token = headers.get(b"x-api-key")
    if bearer is not None:
        if bearer[:7].lower() != _BEARER:
            return None
        bearer = bearer[7:].strip()
        if token is not None and token != bearer:
            return None
        token = bearer
    if not token or len(token) > LONGEST_TOKEN:
        return None
    hashed = digest(secret, token)
    identity = ring.get(hashed)
    if identity is None or now >= identity.expires:
        return None
    return identity if hmac.compare_digest(identity.digest, hashed) else None


def _identity(key: Key) -> Identity:
    expires = float("inf")
    if key.expires:
        try:
            when = dt.datetime.fromisoformat(key.expires)
        except ValueError:
            raise GatewayError(f"key {key.id}: expires: {key.expires!r} is no ISO date") from None
        if when.tzinfo is None:
            raise GatewayError(f"key {key.id}: expires: a zone is missing, as in 2027-01-01T00:00Z")
        expires = when.timestamp()
    return Identity(key, bytes.fromhex(key.hash), _scope(key.models), _scope(key.routes), expires)


def _scope(names: tuple[str, ...]) -> frozenset[str] | None:
    return None if "*" in names else frozenset(names)
