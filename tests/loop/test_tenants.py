"""Whose key a request of a trace is sent with: its tenant's, or nobody's but the others'."""

import numpy as np

from inferometer.loop.replay import keys_of, tenants_of
from inferometer.workload.trace import Trace


def _trace(*names: str) -> Trace:
    """Return a request of each tenant; "-" for a trace that names none."""
    size, named = len(names), np.array(names)
    return Trace(
        arrival=np.arange(size, dtype=np.float64),
        input_tokens=np.full(size, 8),
        output_tokens=np.full(size, 8),
        tenant=None if "-" in names else named,
        name="t",
    )


def _payers(trace: Trace) -> list[str]:
    """Return who pays for each request of a trace."""
    keys = keys_of(trace, {tenant: f"key of {tenant}" for tenant in tenants_of(trace)})
    names = [""] * len(trace) if trace.tenant is None else map(str, trace.tenant)
    return [(keys.get(name) or keys[""]).removeprefix("key of ") for name in names]


def test_seventeen_tenants_and_blank_ones_pay_for_themselves_alone() -> None:
    names = [f"t{number:02d}" for number in range(17)]
    trace = _trace(*(name for name in names for _ in range(20 - int(name[1:]))), " ", "")
    assert tenants_of(trace) == (*names[:16], "others")
    paid = _payers(trace)
    assert paid.count("t00") == 20
    assert paid.count("others") == 4 + 2


def test_others_get_no_key_where_there_are_none() -> None:
    assert tenants_of(_trace("a", "b", "a")) == ("a", "b")
    assert _payers(_trace("a", "b", "a")) == ["a", "b", "a"]
    assert tenants_of(_trace("-", "-")) == ("local",)
    assert _payers(_trace("-", "-")) == ["local", "local"]
    assert tenants_of(_trace("", " ")) == ("others",)


def test_a_tenant_called_others_is_one_of_them() -> None:
    assert tenants_of(_trace("others", "others", "a")) == ("a", "others")
