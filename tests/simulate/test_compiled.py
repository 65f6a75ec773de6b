"""The compiled loop's modules share one namespace."""

from collections import Counter
from types import FunctionType

import numpy as np

from inferometer.simulate.compiled import HOT, INLINED
from inferometer.simulate.simulation import PLAIN, work_of
from inferometer.workload.trace import Prefixes, Trace


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


def agents(requests: int, blocks: int) -> Trace:
    """Return requests whose prompts have so many hashed blocks each."""
    return Trace(
        arrival=np.arange(float(requests)),
        input_tokens=np.full(requests, 16 * blocks),
        output_tokens=np.ones(requests, np.int64),
        prefixes=Prefixes(
            hashes=np.arange(requests * blocks),
            offsets=np.arange(requests + 1) * blocks,
            block_size=16,
        ),
    )


def test_few_requests_with_many_hashed_blocks_are_much_to_play() -> None:
    long, short = agents(1000, 4000), agents(1000, 10)
    assert work_of(long, caching=True) > 10 * PLAIN
    assert work_of(short, caching=True) < PLAIN
    assert len(short) < work_of(short, caching=True) < work_of(long, caching=True)


def test_hashes_that_nobody_looks_up_are_no_work() -> None:
    assert work_of(agents(1000, 4000), caching=False) == 1000
