"""The page in a browser, where there is one: it lays out, alone, in light and in dark."""

import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest
from report_cases import full_answer

from inferometer.report.page import write

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars",
)  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_drawn(scheme: str, tmp_path: Path) -> None:
    if BROWSER is None:
        pytest.skip("no chromium on the path; install one to look at the page")
    write(full_answer(), tmp_path / "report.html")
    image = tmp_path / "page.png"
    dark = ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
    command = [
        BROWSER, *QUIET, *dark, f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=1300,1500", f"--screenshot={image}", (tmp_path / "report.html").as_uri(),
    ]  # fmt: skip
    subprocess.run(command, capture_output=True, timeout=120, check=True)  # noqa: S603
    width, height, first = corner(image)
    assert (width, height) == (1300, 1500)
    assert (sum(first) / 3 < 64) == (scheme == "dark")
    assert image.stat().st_size > 60_000  # text and curves, not an empty sheet


def corner(image: Path) -> tuple[int, int, bytes]:
    """Return width, height and the first pixel of a PNG file of 8-bit colour."""
    data, place, packed = image.read_bytes(), 8, b""
    width, height = struct.unpack(">II", data[16:24])
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        packed += data[place + 8 : place + 8 + length] if kind == b"IDAT" else b""
        place += 12 + length
    return width, height, zlib.decompress(packed)[1:4]
