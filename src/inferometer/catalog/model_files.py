"""Models of the user: a config.json, a GGUF file, or a folder of folders with one each."""

import dataclasses
import datetime as dt
from collections.abc import Mapping
from pathlib import Path

from inferometer.catalog.architecture import Model
from inferometer.catalog.gguf import SHARD, read_gguf
from inferometer.catalog.huggingface import read_config
from inferometer.catalog.names import normalise
from inferometer.catalog.schema import collecting, refuse
from inferometer.catalog.source import Evidence, Source
from inferometer.errors import CatalogError

_SUFFIXES = (".gguf", ".json")


def read_model(path: str | Path, *, name: str = "") -> Model:
    """Return the model that a file or a folder describes.

    Args:
        path: A config.json, a GGUF file, or a folder that holds config.json or GGUF files.
        name: Key of the model; else what the file or the folder is called.

    Raises:
        CatalogError: unreadable or at fault; the message names file and field.
    """
    path = Path(path)
    if path.is_dir() and not (path / "config.json").is_file():
        files = sorted(path.glob("*.gguf"))
        if not files:
            raise CatalogError(f"{path}: holds neither config.json nor a GGUF file")
        if len({SHARD.sub("", file.name) for file in files}) > 1:
            raise CatalogError(f"{path}: holds several GGUF models; name one file of them")
        path = files[0]
    gguf = path.suffix.lower() == ".gguf"
    model = read_gguf(path, name=name) if gguf else read_config(path, name=name)
    day = dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC).date()
    own = Source(source=str(path), as_of=day, evidence=Evidence.PUBLISHED)
    return dataclasses.replace(model, sources={"": own})


def is_path(name: str) -> bool:
    """Return whether a name means a file or folder rather than a model of the catalogue.

    It does if it ends like a model's file, or if there is a file or folder of that name that
    holds a model.
    """
    if name.lower().endswith(_SUFFIXES):
        return True
    try:
        path = Path(name)
        return path.is_file() or (path / "config.json").is_file() or any(path.glob("*.gguf"))
    except (OSError, ValueError):  # not a name that a file can have
        return False


def models_in(folder: Path) -> Mapping[str, Model]:
    """Return the models of a folder of folders, by model id.

    Args:
        folder: One folder per model id, "/" written "--", each with config.json or a GGUF file.

    Raises:
        CatalogError: not a folder, or a model at fault; all faults are in one message.
    """
    found, faults = dict[str, Model](), list[str]()
    for name, place in _places(folder).items():
        with collecting(faults):
            found[name] = read_model(place, name=name)
    refuse(faults)
    return found


def model_in(folder: Path, name: str) -> Model | None:
    """Return the model of that name in such a folder, None if there is none; reads no other.

    Raises:
        CatalogError: not a folder, or the model is at fault.
    """
    places = _places(folder)
    short = {normalise(known): known for known in places}
    found = name if name in places else short.get(normalise(name))
    return None if found is None else read_model(places[found], name=found)


def _places(folder: Path) -> Mapping[str, Path]:
    if not folder.is_dir():
        raise CatalogError(f"{folder}: a folder of models is wanted")
    places = sorted(place for place in folder.iterdir() if place.is_dir())
    return {place.name.replace("--", "/"): place for place in places}
