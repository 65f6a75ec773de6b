"""What-ifs: each lever evaluated alone, several evaluated together, nothing multiplied."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from perf_cases import deployment
from plan_cases import shape, slo, supply

from inferometer.account.bill import Tariff
from inferometer.catalog.clock_law import clock_laws
from inferometer.catalog.efficiency import efficiencies
from inferometer.catalog.models import model
from inferometer.catalog.tables import formats
from inferometer.deployment import Speculation
from inferometer.errors import InfeasibleError, ScenarioError
from inferometer.perf.clocks import at_clock
from inferometer.perf.predict import predict
from inferometer.plan.whatif.capped import capped
from inferometer.plan.whatif.case import Case, following, sized, state_of
from inferometer.plan.whatif.effects import Effect, effect, measured, what_if
from inferometer.plan.whatif.levers import LEVERS, Toolbox, autoscaling, kv_cache, weights
from inferometer.plan.whatif.split import handover, split

KNOWN = {lever.name: lever for lever in LEVERS}
EVALUATE = partial(predict, efficiencies=efficiencies())


def case(name: str = "llama-3.1-8b", rate: float = 30.0) -> Case:
    return Case(
        deployment=deployment(name),
        shape=shape(rate),
        slo=slo("ttft p99 <= 2 s", "tpot p99 <= 40 ms"),
        evaluate=EVALUATE,
        price=supply("h100-sxm").price,
        site=Tariff(accelerator=None, carbon=1e-4),
    )


def box(**fields: object) -> Toolbox:
    laws = clock_laws()
    given = Toolbox(
        formats=formats(),
        at_clock={
            c: partial(EVALUATE, tuned=partial(at_clock, clock=c, laws=laws)) for c in (0.7,)
        },
        under_cap={c: partial(EVALUATE, tuned=capped(case().shape, c, laws)) for c in (0.6, 1.0)},
        spot=None,
        batch_api=None,
        smaller=model("llama-3.2-1b"),
        draft=Speculation(draft_tokens=4, acceptance=0.7, draft_cost=0.05),
    )
    return replace(given, **fields)  # pyrefly: ignore[bad-argument-type]


def alone(name: str, on: Case | None = None, tools: Toolbox | None = None) -> Effect:
    at = on or case()
    return effect(name, [KNOWN[name]], at, tools or box(), measured(at))


def test_every_lever_has_an_answer_or_says_why_not() -> None:
    found = what_if(case(), box())
    assert [one.name for one in found.alone] == list(KNOWN)
    assert all((one.state is None) == bool(one.why) for one in found.alone)
    for one in found.alone:
        if one.state is not None and one.state.cost is not None and one.cost is not None:
            assert found.base.cost is not None
            assert one.state.cost == pytest.approx(found.base.cost * (1 + one.cost))


def test_joint_effects_are_evaluated() -> None:
    names = ("weights fp8", "kv cache fp8")
    found = what_if(case(rate=200.0), box(), names)
    twice = weights("fp8")(case(rate=200.0), box())
    assert isinstance(twice, list)
    both = kv_cache(twice[0], box())
    assert isinstance(both, list)
    assert found.joint is not None
    assert found.joint.state == measured(both[0])
    assert found.together == names
    assert found.multiplied is not None


def test_a_cap_above_the_draw_changes_nothing() -> None:
    only = box(under_cap={1.0: partial(EVALUATE, tuned=capped(case().shape, 1.0, clock_laws()))})
    found = alone("power cap", tools=only)
    assert (found.cost, found.energy, found.tpot) == (0.0, 0.0, 0.0)


def test_levers_move_the_way_they_must() -> None:
    assert (alone("no batching").cost or np.inf) > 1  # many times the replicas, if any serve
    assert (alone("clocks").energy or 0.0) < 0
    assert (alone("smaller model").tpot or 0.0) < 0
    assert (alone("speculation").tpot or 0.0) < 0
    assert "not known" in alone("smaller model").quality
    assert alone("weights fp8").quality.startswith("lossless")
    assert alone("hybrid allocator").why.endswith("no window layers")
    shared = replace(case(), shape=replace(case().shape, cached_fraction=0.6))
    assert (alone("prefix caching", shared).ttft or 0.0) < 0  # the case has it off


def test_windows_save_memory_only_under_a_hybrid_allocator() -> None:
    long = replace(shape(2.0), inputs=np.array([30000.0]), outputs=np.array([300.0]))
    at = replace(case("gemma-3-27b"), shape=long, slo=slo("tpot p99 <= 80 ms"))
    found = alone("hybrid allocator", at)  # on today, so that the lever turns it off
    assert found.state is not None
    assert found.state.accelerators >= measured(at).accelerators
    assert (found.state.at_capacity or 0.0) > (measured(at).at_capacity or 0.0)


def test_disaggregation_keeps_prompts_from_decodes() -> None:
    at = replace(case(), handover=0.001)
    first, second = split(at)
    together = sized(case())
    assert second.outcome.itl.p99 < together.outcome.itl.p99
    assert first.outcome.ttft.p50 > handover(at) > 0.001
    state = state_of(at, (first, second))
    assert state.replicas == first.deployment.replicas + second.deployment.replicas
    with pytest.raises(InfeasibleError, match="handover"):
        split(replace(at, handover=5.0))


def test_replicas_that_follow_the_load_pay_for_what_is_on() -> None:
    hours = np.repeat([1.0, 0.5, 0.25, 0.25], 60)
    load = replace(
        shape(100.0), span=4 * 3600.0, requests=100.0 * 4 * 3600, series=200.0 * hours,
        peak_rate=200.0, rate=100.0,
    )  # fmt: skip
    at = replace(case(), shape=load)
    made = autoscaling(at, box(start=0.0))
    assert isinstance(made, list)
    option = sized(made[0])
    count = option.deployment.replicas
    needed = [np.ceil(count * share - 1e-9) for share in (1.0, 0.5, 0.25, 0.25)]
    assert following(made[0], option) == pytest.approx(sum(needed) / (4 * count))
    assert autoscaling(case(), box()) != []
    assert isinstance(autoscaling(case(), box()), str)  # an hour: nothing to follow


def test_batch_tier_pays_for_its_share() -> None:
    priced = box(batch_api=1e-6, deferrable=0.25)
    found = alone("batch api", tools=priced)
    tokens = case().shape.rate * (case().shape.mean_input + case().shape.mean_output)
    assert found.state is not None
    own = measured(replace(case(), shape=replace(
        case().shape, requests=0.75 * case().shape.requests, rate=0.75 * case().shape.rate,
        peak_rate=0.75 * case().shape.peak_rate, series=0.75 * case().shape.series,
    )))  # fmt: skip
    assert own.cost is not None
    assert found.state.cost == pytest.approx(own.cost + 1e-6 * tokens * 0.25)
    assert found.state.cost is not None
    assert found.state.per_token == pytest.approx(found.state.cost / tokens)


def test_unknown_levers_are_refused() -> None:
    with pytest.raises(ScenarioError, match="no lever 'magic'"):
        what_if(case(), box(), ("magic",))
