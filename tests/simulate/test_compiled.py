"""The compiled loop's modules share one namespace."""

from collections import Counter
from types import FunctionType

from inferometer.simulate.compiled import HOT, INLINED


def names() -> list[str]:
    return [
        name
        for module in HOT
        for name, value in vars(module).items()
        if isinstance(value, FunctionType) and value.__module__ == module.__name__
    ]


def test_no_function_takes_anothers_place() -> None:
    assert [name for name, times in Counter(names()).items() if times > 1] == []


def test_what_is_inlined_exists() -> None:
    assert set(names()) >= INLINED
