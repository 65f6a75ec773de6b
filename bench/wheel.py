"""Build the wheel in a temporary folder and hold its size under 2 MB."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

LIMIT_BYTES = 2_000_000
ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Print the size as JSON; return 1 if the wheel reaches the limit."""
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, "."]
        subprocess.run(build, cwd=ROOT, check=True)  # noqa: S603  fixed arguments
        size = next(Path(folder).glob("*.whl")).stat().st_size
    print(json.dumps({"wheel_bytes": size, "limit_bytes": LIMIT_BYTES}))
    return int(size >= LIMIT_BYTES)


if __name__ == "__main__":
    sys.exit(main())
