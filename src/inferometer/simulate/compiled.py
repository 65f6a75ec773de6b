"""The simulator's loop compiled by numba: the same functions, bound to one another anew."""

import hashlib
import inspect
import sys
from collections.abc import Callable
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

from inferometer.simulate import (
    abort,
    admission,
    blocks,
    engine,
    fleet,
    heap,
    jump,
    kinds,
    prefix,
    queue,
    release,
    router,
    running,
    step,
    tally,
    windows,
)

HOT: tuple[ModuleType, ...] = (
    step,
    heap,
    jump,
    blocks,
    prefix,
    queue,
    windows,
    running,
    tally,
    router,
    admission,
    release,
    kinds,
    engine,
    abort,
    fleet,
)

INLINED = frozenset({
    "advanced", "allow", "append", "can_admit", "count_gaps", "drafts", "due", "enter_computed",
    "find", "follow", "held", "insert", "join", "leave", "make_room", "matched", "most_held",
    "needed", "next_chunk", "next_pages", "place", "plan", "price", "settle", "spanned", "start",
    "steps_for", "take_head",
})  # fmt: skip
"""Functions on every request's way that LLVM would call: a call copies the world's 2 KiB of array
headers, and inlining these makes the loop twice as fast."""


@cache
def compiled_run() -> Callable[..., float]:
    """Return `fleet.run`, compiled once per machine and version of the hot modules' source.

    numba checks a cached function against its own file only, so the name under which it is kept
    carries a digest of all of them. The loop allocates nothing, so arrays need not be counted by
    reference (`_nrt`): that makes it seven times as fast.
    """
    import numba  # noqa: PLC0415 - half a second that small runs need not spend

    source = "".join(inspect.getsource(module) for module in (*HOT, sys.modules[__name__]))
    digest = hashlib.sha256(source.encode()).hexdigest()[:12]
    space: dict[str, Any] = {}
    for module in HOT:
        space |= vars(module)
    space["__name__"] = __name__
    for module in HOT:
        for name, function in vars(module).items():
            if isinstance(function, FunctionType) and function.__module__ == module.__name__:
                options: dict[str, Any] = {"error_model": "numpy", "_nrt": False}
                options |= {"cache": name == "run", "forceinline": name in INLINED}
                options |= {"no_cpython_wrapper": name != "run", "no_cfunc_wrapper": True}
                space[name] = numba.njit(_bound(function, space, digest), **options)
    return space["run"]  # type: ignore[no-any-return]


def _bound(function: FunctionType, space: dict[str, Any], digest: str) -> FunctionType:
    copy = FunctionType(function.__code__, space, function.__name__)
    copy.__qualname__ = f"{function.__name__}_{digest}"
    copy.__module__ = __name__
    return copy
