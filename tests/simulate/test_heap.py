"""Heaps in arrays."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inferometer.simulate.heap import pop, push, remove


def heap_of(keys: list[int]) -> tuple[np.ndarray, np.ndarray]:
    held, items = np.zeros(len(keys), np.int64), np.zeros(len(keys), np.int64)
    for size, key in enumerate(keys):
        push(held, items, size, key, -key)
    return held, items


def emptied(held: np.ndarray, items: np.ndarray, size: int) -> list[int]:
    return [-pop(held, items, size - taken) for taken in range(size)]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40))
def test_items_leave_in_order_of_their_keys(keys: list[int]) -> None:
    assert emptied(*heap_of(keys), len(keys)) == sorted(keys)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.data())
def test_one_taken_from_the_middle_leaves_the_others_in_order(
    keys: list[int], data: st.DataObject
) -> None:
    held, items = heap_of(keys)
    place = data.draw(st.integers(0, len(keys) - 1))
    gone = int(held[place])
    remove(held, items, len(keys), place)
    rest = sorted(keys)
    rest.remove(gone)
    assert emptied(held, items, len(rest)) == rest
