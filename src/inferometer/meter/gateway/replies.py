"""Answers that the gateway gives itself: status lines and errors in the shape of each API.

An error says what the caller can do. It never has an upstream's address, a path, a key or a trace.
"""

import http
from collections.abc import Mapping

import msgspec

JSON = b"content-type: application/json\r\n"
TEXT = b"content-type: text/plain; version=0.0.4; charset=utf-8\r\n"
NO_RETRY = b"x-should-retry: false\r\n"
"""Both the OpenAI and the Anthropic SDK obey this header."""

_LINES: Mapping[int, bytes] = {
    status.value: f"{status.value} {status.phrase}".encode() for status in http.HTTPStatus
}
_TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "budget_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


def status_line(status: int) -> bytes:
    """Return code and phrase; a code without a phrase has none."""
    return _LINES.get(status) or b"%d " % status


def body(family: str, message: str, code: str, *, status: int = 400, field: str = "") -> bytes:
    """Return an error as the API of this family words it.

    Args:
        family: Family of the route (`routes.Route.family`).
        message: What is wrong and what to do.
        code: A word that programs can compare.
        status: HTTP status, for the error's type.
        field: Field of the request that it is about.
    """
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    error = {"message": message, "type": kind, "code": code, "param": field or None}
    if family == "anthropic":
        return msgspec.json.encode({"type": "error", "error": error})
    return msgspec.json.encode({"error": error})
