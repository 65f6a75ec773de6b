"""Models by name for measurements: the shipped catalogue, and a folder of config.json beside it."""

import functools
from pathlib import Path

from inferometer.calibrate.resolution import FindModel
from inferometer.catalog.huggingface import read_config
from inferometer.catalog.models import Model, model
from inferometer.errors import CatalogError, ScenarioError


def finder(folder: Path | None = None) -> FindModel:
    """Return a look-up of models that asks `folder` first, then the catalogue.

    Args:
        folder: One folder per model id, "/" written "--", each with its config.json.

    Raises:
        ScenarioError: `folder` is no folder.
    """
    if folder is not None and not folder.is_dir():
        raise ScenarioError(f"--models {folder}: not a folder")

    @functools.cache
    def find(name: str) -> Model:
        given = _given(folder, name)
        if given is None:
            return model(name)
        return read_config(given, name=name)

    return find


def _given(folder: Path | None, name: str) -> Path | None:
    if folder is None:
        return None
    wanted = name.replace("/", "--")
    for place in (folder / wanted, *sorted(folder.iterdir())):
        if place.name.lower() == wanted.lower() and (place / "config.json").is_file():
            return place
    return None


__all__ = ["CatalogError", "finder"]
