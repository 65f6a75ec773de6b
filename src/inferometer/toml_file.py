"""TOML files of users: read, or refused with the error of whoever asks."""

import tomllib
from pathlib import Path
from typing import Any

from inferometer.errors import InferometerError


def read_toml(path: Path, fault: type[InferometerError]) -> dict[str, Any]:
    """Return the content of a TOML file, with or without a byte-order mark.

    Raises:
        InferometerError: as `fault`: unreadable, not TOML, or nested too deep.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise fault(f"{path}: cannot be read as TOML: {error}") from None
