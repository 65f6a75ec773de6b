"""Which headers cross the gateway, in each direction.

Upstream go only those named here: no key, cookie, forwarded address or attribution of the caller.
Back come all but those that belong to one connection or tell where the answer came from.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from inferometer.meter.gateway.keys import Identity

FORWARDED = (
    b"accept",
    b"anthropic-beta",
    b"anthropic-version",
    b"openai-beta",
    b"traceparent",
    b"tracestate",
)
_DROPPED = frozenset(
    {
        b"alt-svc",
        b"connection",
        b"content-length",
        b"keep-alive",
        b"location",
        b"proxy-authenticate",
        b"proxy-connection",
        b"server",
        b"set-cookie",
        b"strict-transport-security",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"via",
        b"www-authenticate",
        b"x-request-id",
    }
)
_ID = re.compile(r"[A-Za-z0-9._:/-]{1,128}")
_ATTRIBUTION = (b"x-inferometer-feature", b"x-inferometer-session", b"x-inferometer-run")


class Attribution(NamedTuple):
    """What a request is for, as far as its key may say so."""

    feature: str = ""
    session: str = ""
    run: str = ""


class AttributionError(Exception):
    """An attribution header holds no id."""


def upstream(headers: Mapping[bytes, bytes], request_id: bytes) -> bytes:
    """Return the variable header lines of the forwarded request."""
    lines = [b"%b: %b\r\n" % (name, headers[name]) for name in FORWARDED if name in headers]
    return b"x-request-id: %b\r\n%b" % (request_id, b"".join(lines))


def downstream(headers: Iterable[tuple[bytes, bytes]], request_id: bytes) -> bytes:
    """Return the header lines of the answer, framing apart, with our id of the request.

    The id is always ours: a caller that could choose it could make two requests one row.
    """
    lines = [b"%b: %b\r\n" % pair for pair in headers if pair[0] not in _DROPPED]
    return b"x-request-id: %b\r\n%b" % (request_id, b"".join(lines))


def attribution(identity: Identity, headers: Mapping[bytes, bytes]) -> Attribution:
    """Return feature, session and run that a trusted caller names; others' are not read.

    Raises:
        AttributionError: an id is empty or has other characters than letters, digits and `._:/-`.
    """
    if not identity.key.may_attribute:
        return Attribution(identity.key.feature)
    values: list[str] = []
    for name in _ATTRIBUTION:
        value = headers.get(name)
        text = "" if value is None else value.decode("latin-1")
        if value is not None and not _ID.fullmatch(text):
            raise AttributionError(name.decode())
        values.append(text)
    feature, session, run = values
    return Attribution(feature or identity.key.feature, session, run)
