"""Typed access to the fields of a model description (config.json, GGUF metadata): never a guess."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from inferometer.errors import CatalogError

LARGEST = 1 << 24
"""No width, vocabulary, context or count of a model that exists is larger."""
MAX_LAYERS = 2048


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one description, and where they stand.

    Attributes:
        where: File or name of the model, for messages.
        raw: Fields as read.
    """

    where: str
    raw: Mapping[str, Any]

    def has(self, name: str) -> bool:
        """Return whether the field is given and not null."""
        return self.raw.get(name) is not None

    def fault(self, name: str, what: str) -> CatalogError:
        """Return the error that names file and field."""
        return CatalogError(f"{self.where}: {name}: {what}")

    def whole(self, *names: str, default: int | None = None, low: int = 1) -> int:
        """Return the first given field of `names`, a whole number of at least `low`.

        Raises:
            CatalogError: missing without default, not a whole number, out of range, or two of
                the spellings are given and differ.
        """
        given = {name: self.raw[name] for name in names if self.has(name)}
        if not given:
            if default is None:
                raise self.fault(names[0], "missing")
            return default
        name, value = next(iter(given.items()))
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.fault(name, f"a whole number is wanted, not {value!r:.60}")
        if not low <= value <= LARGEST:
            raise self.fault(name, f"{value} is not between {low} and {LARGEST}")
        for other, twin in given.items():
            if twin != value:
                raise self.fault(other, f"{twin!r:.60} contradicts {name} = {value}")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a true-or-false field.

        Raises:
            CatalogError: it is something else.
        """
        value = self.raw.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.fault(name, f"true or false is wanted, not {value!r:.60}")
        return value

    def per_layer(self, name: str, layers: int, read: Callable[[object], bool]) -> list[Any]:
        """Return a list with one item per layer.

        Args:
            name: Field.
            layers: Length that the list must have.
            read: Whether an item is valid.

        Raises:
            CatalogError: not a list, of another length, or with an invalid item.
        """
        items = self.raw.get(name)
        if not isinstance(items, list) or len(items) != layers:
            raise self.fault(name, f"a list of {layers} items, one per layer, is wanted")
        for item in items:
            if not read(item):
                raise self.fault(name, f"unknown item {item!r:.60}")
        return items

    def positions(self, name: str, layers: int) -> set[int]:
        """Return the layer indices that a list names; empty if absent.

        Raises:
            CatalogError: not a list of indices below `layers`.
        """
        items = self.raw.get(name) or []
        if not isinstance(items, list) or not all(
            type(item) is int and 0 <= item < layers for item in items
        ):
            raise self.fault(name, f"a list of layer indices below {layers} is wanted")
        return set(items)

    def layers(self) -> int:
        """Return the number of layers.

        Raises:
            CatalogError: missing, none, or more than any model has.
        """
        kinds = self.raw.get("layers_block_type")
        listed = len(kinds) if isinstance(kinds, list) else None
        names = ("num_hidden_layers", "n_layers", "n_layer", "num_layers")
        count = self.whole(*names, default=listed)
        if count > MAX_LAYERS:
            raise self.fault("num_hidden_layers", f"{count} is more than {MAX_LAYERS}")
        return count

    def nested(self, name: str) -> "Fields":
        """Return the fields of a nested table.

        Raises:
            CatalogError: absent or not a table.
        """
        inner = self.raw.get(name)
        if not isinstance(inner, Mapping):
            raise self.fault(name, "a table is wanted")
        return Fields(f"{self.where}: {name}", inner)
