"""The words and tables of a report, made from its answer."""

from collections.abc import Mapping

from inferometer.account.bill import TokenCosts
from inferometer.outcome import Latency
from inferometer.plan.option import Option
from inferometer.plan.search import ABSURD
from inferometer.report.answer import Answer
from inferometer.report.numerals import (
    HOUR,
    MILLION,
    MONTH,
    dollars,
    duration,
    milliseconds,
    number,
    share,
)
from inferometer.report.table import Table, table

LATENCIES = {
    "ttft": "TTFT, time to first token",
    "tpot": "TPOT, time per output token",
    "itl": "ITL, gap between tokens",
    "e2e": "E2E, whole request",
}


def headline(answer: Answer) -> str:
    """Return the answer in one sentence."""
    best = answer.plan.best
    deployment = best.deployment
    count, formats = deployment.replicas, deployment.precision
    layout = deployment.parallelism
    replicas = f"one replica ({layout})" if count == 1 else f"{count} replicas ({layout} each)"
    weights = dict.fromkeys((formats.linear.key, formats.experts.key))
    return (
        f"Serve {deployment.model.name} on {deployment.accelerators} x "
        f"{deployment.accelerator.name}: {replicas}, "
        f"{'/'.join(weights)} weights, {formats.kv.key} KV cache, "
        f"with {deployment.settings.engine.key}."
    )


def keys(answer: Answer) -> tuple[tuple[str, str, str], ...]:
    """Return the main numbers: what, how much, on which basis."""
    best = answer.plan.best
    cost = best.cost
    each = best.price
    unit = "no price known"
    if each:
        unit = f"{dollars(each.price * HOUR)} each, {each.provider}, quote of {each.valid_from}"
    return (
        ("per hour", dollars(None if cost is None else cost * HOUR), unit),
        ("per month", dollars(None if cost is None else cost * MONTH), "730 h, idle or not"),
        ("per million tokens", _mtok(best.by_allocation), "input + output, idle time paid"),
        ("speed per user", f"{number(best.speed)} tok/s", "1 / mean TPOT, predicted"),
        (
            "load",
            share(best.outcome.utilisation),
            f"of capacity; limit: {best.outcome.binding}",
        ),
    )


def _mtok(price: float | None) -> str:
    return dollars(None if price is None else price * MILLION)


def money(answer: Answer) -> Table:
    """Return the price of a million tokens by class on both bases, beside the cheapest API."""
    bill = answer.plan.best.bill
    rows = [
        ("allocation: all hours rented", *_classes(bill.allocation)),
        ("usage: only hours in use", *_classes(bill.usage)),
    ]
    if answer.api:
        offer = answer.api[0]
        row = offer.price
        cached = "as input" if row.cached is None else _mtok(row.cached)
        name = f"cheapest API: {row.provider}, {row.tier}"
        rows.append((name, _mtok(row.input), cached, _mtok(row.output), _mtok(offer.blended)))
    columns = ("basis", "uncached input", "cached input", "output", "blended")
    return table("USD per million tokens", columns, rows)


def _classes(costs: TokenCosts | None) -> tuple[str, str, str, str]:
    if costs is None:
        return ("unpriced",) * 4
    return _mtok(costs.input), _mtok(costs.cached), _mtok(costs.output), _mtok(costs.blended)


def targets(answer: Answer) -> Table:
    """Return every target of the SLO with the predicted value and what is left of the limit."""
    outcome, rows = answer.plan.best.outcome, list[tuple[str, ...]]()
    for target in answer.plan.slo.targets:
        value = getattr(getattr(outcome, target.metric), target.quantile)
        rows.append(
            (
                f"{target.metric.upper()} {target.quantile}", milliseconds(target.limit),
                milliseconds(value), share(1 - value / target.limit),
                "met" if value <= target.limit else "missed", str(outcome.evidence),
            )
        )  # fmt: skip
    columns = ("target", "limit", "value", "headroom", "verdict", "evidence")
    return table("Service-level objectives", columns, rows)


def latencies(answer: Answer) -> Table:
    """Return all latency quantiles of the plan, ms."""
    outcome = answer.plan.best.outcome
    rows = []
    for key, name in LATENCIES.items():
        found: Latency = getattr(outcome, key)
        values = (found.mean, found.p50, found.p90, found.p99)
        rows.append((name, *(number(value * 1e3) for value in values), str(outcome.evidence)))
    columns = ("latency (ms)", "mean", "p50", "p90", "p99", "evidence")
    return table("Latencies in the busiest minute", columns, rows)


def operation(answer: Answer) -> Table:
    """Return what the deployment does beside its latencies."""
    best = answer.plan.best
    outcome, settings = best.outcome, best.deployment.settings
    carbon = best.carbon_per_output
    rows = [
        ("capacity of all replicas", f"{number(outcome.capacity)} requests/s"),
        ("load, mean over the span", share(best.bill.utilisation)),
        ("running sequences per replica", number(outcome.batch)),
        ("KV cache in use", share(outcome.kv_fraction)),
        ("goodput", f"{number(outcome.goodput)} requests/s"),
        ("probability that it keeps the SLO", _probability(best.probability)),
        ("power of the accelerators, mean", f"{number(outcome.power)} W"),
        ("energy per output token", f"{number(best.energy_per_output)} J at the facility's meter"),
        ("carbon per output token", _grams(carbon)),
        ("limit on running sequences", f"max_num_seqs {settings.max_num_seqs}"),
        ("token budget of one step", f"max_batched_tokens {settings.max_batched_tokens}"),
        ("memory given to the engine", share(settings.memory_fraction)),
    ]
    rows += [("weights", origin) for origin in answer.weights]
    return table("How it runs", ("quantity", "value"), rows)


def _probability(value: float | None) -> str:
    return "not asked" if value is None else share(value)


def _grams(carbon: float | None) -> str:
    return "not known: no grid named" if carbon is None else f"{number(carbon * 1e3)} mg CO2e"


def alternatives(answer: Answer) -> Table:
    """Return the cheapest deployment of every accelerator."""
    base = answer.plan.best.cost
    columns = (
        "accelerator", "replicas x layout", "formats", "engine", "USD/h", "vs. plan", "USD/Mtok",
        "tok/s per user", "load", "P(SLO)", "J per output tok", "limited by", "USD/h each",
        "provider", "quoted",
    )  # fmt: skip
    rows = [_alternative(option, base) for option in answer.plan.near]
    far = len(answer.plan.alternatives) - len(rows)
    dear = f"; {far} at more than {ABSURD} x the plan's cost left out" if far else ""
    return table(f"Cheapest deployment of every accelerator{dear}", columns, rows)


def _alternative(option: Option, base: float | None) -> tuple[str, ...]:
    deployment, cost, each = option.deployment, option.cost, option.price
    blended = option.by_allocation
    return (
        deployment.accelerator.key,
        f"{deployment.replicas} x {deployment.parallelism}",
        str(deployment.precision),
        deployment.settings.engine.key,
        number(_scaled(cost, HOUR)),
        "" if cost is None or base is None else f"{cost / base:.3g} x",
        number(_scaled(blended, MILLION)),
        number(option.speed),
        share(option.outcome.utilisation),
        _probability(option.probability),
        number(option.energy_per_output),
        option.outcome.binding,
        "unpriced" if each is None else number(each.price * HOUR),
        *(("", "") if each is None else (each.provider, each.valid_from.isoformat())),
    )


def excluded(answer: Answer) -> Table:
    """Return how every configuration that was looked at ended."""
    plan = answer.plan
    ruled_out = sorted(plan.excluded.items(), key=lambda item: -item[1])
    counts: Mapping[str, int] = {"feasible: meets the SLO": plan.feasible, **dict(ruled_out)}
    rows = [
        (reason, f"{count:,}", share(count / plan.enumerated)) for reason, count in counts.items()
    ]
    rows.append(("all", f"{plan.enumerated:,}", "100 %"))
    return table("Configurations by how they ended", ("end", "configurations", "share"), rows)


def workload(answer: Answer) -> Table:
    """Return the workload in numbers."""
    shape = answer.shape
    prompts, outputs = shape.mean_input, shape.mean_output
    rows = [
        ("name", shape.name or "unnamed"),
        ("requests", f"{shape.requests:,.0f}"),
        ("span", duration(shape.span)),
        ("arrival rate, mean", f"{number(shape.rate)} requests/s"),
        ("arrival rate, busiest minute", f"{number(shape.peak_rate)} requests/s"),
        ("peak over mean", number(shape.peak_rate / shape.rate)),
        ("burstiness (1 is Poisson)", number(shape.burstiness)),
        ("prompt, mean", f"{number(prompts, 4)} tok"),
        ("output, mean", f"{number(outputs, 4)} tok"),
        ("tokens, input and output", f"{number(shape.requests * (prompts + outputs) / 1e6)} Mtok"),
        ("prompt tokens served by a prefix cache", share(shape.cached_fraction)),
    ]
    return table("Workload", ("quantity", "value"), rows)


def comparison(answer: Answer) -> Table | None:
    """Return today's deployment beside the plan; None if none was stated."""
    against = answer.comparison
    if against is None:
        return None
    before, after = against.current, answer.plan.best
    rows = [
        (
            name, str(option.deployment), dollars(_scaled(option.cost, HOUR)),
            _mtok(option.by_allocation), number(option.speed), met,
        )
        for name, option, met in (
            ("today", before, "met" if against.meets_slo else "missed"),
            ("plan", after, "met"),
        )
    ]  # fmt: skip
    columns = ("", "deployment", "per hour", "per Mtok", "tok/s per user", "SLO")
    return table("Today against the plan", columns, rows)


def saving(answer: Answer) -> str:
    """Return what the plan saves over today's deployment, in words; "" if none was stated."""
    against = answer.comparison
    if against is None:
        return ""
    if against.saving is None or against.saving_fraction is None:
        return "The saving is not known: one of the two is unpriced."
    word = "saves" if against.saving >= 0 else "costs more by"
    amount, month = abs(against.saving) * HOUR, abs(against.saving) * MONTH
    part = share(abs(against.saving_fraction))
    return f"The plan {word} {dollars(amount)} per hour, {dollars(month)} per month ({part})."


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
