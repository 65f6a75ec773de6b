"""Secrets: never in the configuration file, read at start from where it points."""

import os
from pathlib import Path

from inferometer.errors import GatewayError

SHORTEST_SECRET = 16


def secret(reference: str, what: str, *, shortest: int = 1) -> str:
    """Return the secret that `env:NAME` or `file:PATH` points at.

    Raises:
        GatewayError: it is written in the clear, missing, blank or too short.
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        value = os.environ.get(name, "")
    elif kind == "file":
        try:
            value = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise GatewayError(f"{what}: cannot read the file {name}") from None
    else:
        raise GatewayError(f"{what}: write env:NAME or file:PATH, never the secret itself")
    value = value.strip()
    if len(value) < shortest or not value.isascii() or not value.isprintable():
        raise GatewayError(f"{what}: {reference} is empty, shorter than {shortest}, or not ASCII")
    return value
