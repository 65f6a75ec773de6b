"""A folder of emitted files: what would change in it, and writing it."""

import difflib
from collections.abc import Mapping
from pathlib import Path

from inferometer.deploy.header import MARK
from inferometer.errors import ScenarioError

HEAD = 1024
"""Characters at the start of a file among which our mark is; a folder may hold large ones."""


def changes(folder: Path, files: Mapping[str, str]) -> dict[str, str]:
    """Return what becomes of every path: "new", "same", "changed", or "stale".

    Stale ones carry our mark but are not emitted any more.

    Raises:
        ScenarioError: a file that cannot be read.
    """
    found = {path: _state(folder / path, text) for path, text in files.items()}
    stale = {
        path.relative_to(folder).as_posix(): "stale"
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).as_posix() not in files and _ours(path)
    }
    return found | stale


def difference(folder: Path, files: Mapping[str, str]) -> str:
    """Return the unified diff from the folder to the files; "" if they are the same.

    Raises:
        ScenarioError: a file that cannot be read.
    """
    parts = list[str]()
    for path, state in changes(folder, files).items():
        if state == "same":
            continue
        before = "" if state == "new" else _read(folder / path)
        after = files.get(path, "")
        parts += difflib.unified_diff(
            before.splitlines(keepends=True), after.splitlines(keepends=True),
            "/dev/null" if state == "new" else f"a/{path}",
            "/dev/null" if state == "stale" else f"b/{path}",
        )  # fmt: skip
    return "".join(parts)


def write(folder: Path, files: Mapping[str, str], *, overwrite: bool) -> None:
    """Write the files that are new or changed; scripts may be executed.

    Raises:
        ScenarioError: a file would be replaced and `overwrite` is not set, or writing fails.
    """
    states = changes(folder, files)
    there = [path for path, state in states.items() if state == "changed"]
    if there and not overwrite:
        raise ScenarioError(
            f"{folder}: {', '.join(there)} would change: look with --diff, then --overwrite"
        )
    for path, text in files.items():
        if states[path] != "same":
            _write(folder / path, text)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if path.suffix == ".sh":
            path.chmod(0o755)
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be written: {error.strerror}") from error


def _state(path: Path, text: str) -> str:
    if not path.exists():
        return "new"
    return "same" if _read(path) == text else "changed"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: cannot be read: {error}") from error


def _ours(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8") as file:
            return MARK in file.read(HEAD)
    except (OSError, UnicodeDecodeError):
        return False
