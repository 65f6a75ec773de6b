"""Models by name for measurements: a folder of models first, then the shipped catalogue."""

import functools
from pathlib import Path

from inferometer.calibrate.resolution import FindModel
from inferometer.catalog.models import Model, model
from inferometer.errors import ScenarioError


def finder(folder: Path | None = None) -> FindModel:
    """Return a look-up of models that asks `folder` first, then the catalogue.

    Args:
        folder: One folder per model id, "/" written "--", each with config.json or a GGUF file.

    Raises:
        ScenarioError: `folder` is no folder.
    """
    if folder is not None and not folder.is_dir():
        raise ScenarioError(f"--models {folder}: not a folder")

    @functools.cache
    def find(name: str) -> Model:
        return model(name, folder)

    return find
