"""Binary heaps in arrays: which sequence ends next; runs as it is, and compiled (`compiled`)."""

from typing import Any

from numpy.typing import NDArray


def before(key: float, item: int, other: float, rival: int) -> bool:
    """Return whether `item` under `key` comes before `rival` under `other`: ties go by number."""
    return key < other or (key == other and item < rival)


def push(keys: NDArray[Any], items: NDArray[Any], size: int, key: float, item: int) -> None:
    """Add `item` under `key` to a heap of `size` items."""
    place = size
    while place > 0 and before(key, item, keys[(place - 1) // 2], items[(place - 1) // 2]):
        keys[place] = keys[(place - 1) // 2]
        items[place] = items[(place - 1) // 2]
        place = (place - 1) // 2
    keys[place] = key
    items[place] = item


def pop(keys: NDArray[Any], items: NDArray[Any], size: int) -> int:
    """Take the item with the least key out of a heap of `size` items."""
    first = int(items[0])
    sink(keys, items, size - 1, 0, keys[size - 1], items[size - 1])
    return first


def remove(keys: NDArray[Any], items: NDArray[Any], size: int, place: int) -> None:
    """Take the item at `place` out of a heap of `size` items."""
    key, item = keys[size - 1], items[size - 1]
    if place == size - 1:
        return
    if before(key, item, keys[place], items[place]):
        push(keys, items, place, key, item)
    else:
        sink(keys, items, size - 1, place, key, item)


def sink(
    keys: NDArray[Any], items: NDArray[Any], size: int, place: int, key: float, item: int
) -> None:
    """Put `item` at `place` or below, in a heap of `size` items."""
    child = 2 * place + 1
    while child < size:
        if child + 1 < size and before(
            keys[child + 1], items[child + 1], keys[child], items[child]
        ):
            child += 1
        if not before(keys[child], items[child], key, item):
            break
        keys[place] = keys[child]
        items[place] = items[child]
        place = child
        child = 2 * place + 1
    keys[place] = key
    items[place] = item
