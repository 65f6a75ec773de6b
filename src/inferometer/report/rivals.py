"""The plan against APIs: what the same traffic costs there, and from which load the plan pays."""

from inferometer.plan.break_even import PAY_FOR_IDLE, SCALE_DOWN, BreakEven, break_even
from inferometer.report.answer import Answer
from inferometer.report.numerals import DAY, HOUR, MILLION, dollars, number, share
from inferometer.report.table import Table, table

FORMULAS = (PAY_FOR_IDLE, SCALE_DOWN)
"""The two bases on which a break-even can be stated."""


def against_api(answer: Answer) -> str:
    """Return how the cheapest API compares, in words; "" if there is none or no price."""
    cost = answer.plan.best.cost
    if not answer.api or cost is None:
        return ""
    offer = answer.api[0]
    row, part = offer.price, offer.rate / cost - 1
    word = "more" if part >= 0 else "less"
    return (
        f"The same traffic at the cheapest API, {row.provider} ({row.tier}), costs "
        f"{dollars(offer.rate * HOUR)} per hour, {dollars(offer.blended * MILLION)} per Mtok: "
        f"{share(abs(part))} {word} than this plan. Its latencies are not known."
    )


def offers(answer: Answer) -> Table:
    """Return what the same traffic costs at APIs."""
    columns = (
        "provider", "model", "tier", "USD/h", "blended", "input", "cached", "output", "source",
        "as of", "evidence",
    )  # fmt: skip
    rows = [
        (
            row.provider, row.model, row.tier, number(offer.rate * HOUR),
            number(offer.blended * MILLION), number(row.input * MILLION),
            "as input" if row.cached is None else number(row.cached * MILLION),
            number(row.output * MILLION), row.source.source, row.source.as_of.isoformat(),
            str(row.source.evidence),
        )
        for offer in answer.api
        for row in (offer.price,)
    ]  # fmt: skip
    return table("The same traffic from an API (prices in USD per Mtok)", columns, rows)


def break_evens(answer: Answer) -> Table:
    """Return from which load and volume the plan is cheaper than each API."""
    columns = (
        "provider", "model", "tier", "break-even load", "Mtok per day there", "load now",
        "USD/h saved now", "if never, why",
    )  # fmt: skip
    found = [break_even(answer.plan.best, offer) for offer in answer.api]
    return table(
        "From which mean load the plan is cheaper than the API, idle time paid",
        columns,
        [_row(even) for even in found],
    )


def _row(even: BreakEven) -> tuple[str, ...]:
    never = even.utilisation is None or even.tokens is None
    return (
        even.provider,
        even.model,
        even.tier,
        "" if even.utilisation is None else share(even.utilisation),
        "" if never or even.tokens is None else number(even.tokens * DAY / MILLION),
        share(even.now),
        "unpriced" if even.saving is None else number(even.saving * HOUR),
        even.never,
    )
