"""Other people's tools, each in an environment of its own: their pins are not ours.

An environment is made once, in `.venv-peers` beside the tests, and found there afterwards.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PLACE = Path(__file__).parent.parent / ".venv-peers"


def environment(name: str, *packages: str) -> Path:
    """Return the programs' folder of an environment that has some packages, or skip the test.

    `INFEROMETER_PEER_NAME`, in capitals, names an environment that has them already.
    """
    given = os.environ.get(f"INFEROMETER_PEER_{name.upper()}")
    folder = Path(given) if given else PLACE / name
    stamp, wanted = folder / "installed", "\n".join(packages)
    if given or (stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted):
        return folder / "bin"
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)  # noqa: S603
    install = [str(folder / "bin" / "pip"), "install", "--quiet", *packages]
    done = subprocess.run(install, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        pytest.skip(f"{name} cannot be installed here: {done.stderr[-200:]}")
    stamp.write_text(wanted, encoding="utf-8")
    return folder / "bin"
