"""Shared fixtures."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def data() -> Path:
    """Return the folder of measured rows, traces and prices, or skip the test."""
    folder = Path(os.environ.get("INFEROMETER_DATA", ROOT / "../shared/data"))
    if not folder.is_dir():
        pytest.skip(f"measured data not found at {folder}; set INFEROMETER_DATA")
    return folder
