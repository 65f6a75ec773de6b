"""Addresses in a configuration: what may be an upstream's URL, what a listener's place."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from inferometer.errors import GatewayError


def url_faults(url: str) -> Iterator[str]:
    r"""Yield what makes a URL unfit as an upstream's address.

    Two parsers may read `\`, `@` or a fragment differently, so none of these is let in.
    """
    if any(character in url for character in "\\@#? ") or not url.isascii():
        yield "no user, query, fragment, blank or backslash may be in it"
        return
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        yield str(error)
        return
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        yield "http:// or https:// and a host are wanted"


def endpoint(text: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`, also `[::1]:8080`.

    Raises:
        GatewayError: it is something else.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise GatewayError(f"{text!r:.60}: HOST:PORT is wanted")
    return host.strip("[]"), int(port)
