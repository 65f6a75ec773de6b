"""A folder with everything that a command answers: as JSON, as text, as a page."""

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

from inferometer.errors import ScenarioError

FILES = ("plan.json", "plan.txt", "report.html")


def prepare(folder: Path, *, overwrite: bool) -> Path:
    """Return the folder, made if it is missing, once nothing in it is in the way.

    Raises:
        ScenarioError: a file is there and `overwrite` is not set, or the folder cannot be made.
    """
    there = [name for name in FILES if (folder / name).exists()]
    if there and not overwrite:
        raise ScenarioError(
            f"--output-dir {folder}: {', '.join(there)} exists; name another folder or --overwrite"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ScenarioError(f"--output-dir {folder}: cannot be made: {error.strerror}") from error
    return folder


def save(path: Path, show: Callable[[], None]) -> None:
    """Write to a file what `show` prints.

    Raises:
        ScenarioError: the file cannot be written.
    """
    with redirect_stdout(io.StringIO()) as text:
        show()
    try:
        path.write_text(text.getvalue(), encoding="utf-8")
    except OSError as error:
        raise ScenarioError(f"--output-dir: {path}: {error.strerror}") from error
