"""The planned price and the actual one: every step adds up, and the culprit is the planted one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.plan.actual import Served, Speed, corrections, culprit

PARTS = st.builds(
    Served,
    cost=st.floats(1e-5, 1e-1),
    rate=st.floats(0.01, 100.0),
    input_tokens=st.floats(10.0, 5000.0),
    output_tokens=st.floats(2.0, 2000.0),
)
PLANNED = Served(cost=1e-3, rate=2.0, input_tokens=1000.0, output_tokens=200.0)


@given(PARTS, PARTS)
def test_the_steps_add_up_to_the_actual_price(planned: Served, actual: Served) -> None:
    steps = corrections(planned, actual)
    assert steps[0].price == planned.price
    assert steps[-1].price == pytest.approx(actual.price)
    total = planned.price + sum(step.added for step in steps)
    assert total == pytest.approx(actual.price)


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("rate", 0.5, "arrivals"),
        ("cost", 3e-3, "rent"),
        ("input_tokens", 200.0, "prompt length"),
        ("output_tokens", 900.0, "output length"),
    ],
)
def test_the_planted_fault_is_named(field: str, value: float, named: str) -> None:
    values = {name: getattr(PLANNED, name) for name in Served.__dataclass_fields__}
    steps = corrections(PLANNED, Served(**{**values, field: value}))
    assert culprit(steps, ()).startswith(f"{named} was off the most")
    changed = [step.assumption for step in steps[1:] if abs(step.added) > 1e-15]
    assert changed == [named]


def test_a_plan_that_held_is_said_to_have_held_and_a_slow_engine_is_named() -> None:
    same = corrections(PLANNED, PLANNED)
    fast = Speed(metric="tpot", predicted=0.020, actual=0.021)
    slow = Speed(metric="tpot", predicted=0.020, actual=0.040)
    assert "as planned" in culprit(same, (fast,))
    assert "as fast as predicted" in culprit(same, (fast,))
    assert "tpot was 2.00 x" in culprit(same, (slow,))
