"""The charts of a report, each with its words and the data that it shows."""

from collections.abc import Iterator
from dataclasses import dataclass

from matplotlib.figure import Figure

from inferometer.plan.option import Option
from inferometer.report.answer import Answer
from inferometer.report.charts import svg
from inferometer.report.numerals import HOUR, MILLION, dollars, number
from inferometer.report.plan_charts import (
    Bar,
    Groups,
    Labels,
    Spot,
    Stage,
    fronts,
    tornado,
    waterfall,
)
from inferometer.report.table import Table, table
from inferometer.report.workload_charts import arrivals, lengths

SPEED = "speed per user (output tok/s, 1 / mean TPOT)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """One chart on a page.

    Attributes:
        key: Name in the page's addresses.
        title: What it shows.
        caption: How to read it.
        drawing: An SVG element that this package drew.
        data: The plotted numbers.
    """

    key: str
    title: str
    caption: str
    drawing: str
    data: Table


def throughput(option: Option) -> float:
    """Return the output tokens per second that one accelerator of a deployment serves."""
    return option.outcome.output_rate / option.deployment.accelerators


def price(option: Option) -> float:
    """Return USD per million tokens served, idle time included; NaN if unpriced."""
    return float("nan") if option.by_allocation is None else option.by_allocation * MILLION


def pareto(answer: Answer) -> Exhibit:
    """Return throughput per accelerator against speed per user."""
    best = answer.plan.best
    spot = Spot(best.speed, throughput(best))
    labels = Labels(
        SPEED, "output tok/s per accelerator at this workload",
        f"the plan, {best.deployment}: {number(spot.y)} tok/s per accelerator at "
        f"{number(spot.x)} tok/s per user",
    )  # fmt: skip
    groups = _groups(answer, {id(option): throughput(option) for option in _shown(answer)})
    return exhibit(
        "pareto", "Throughput per accelerator against speed per user",
        "Up and to the right is better. Every point meets the SLO at the busiest minute with the "
        "fewest replicas that do; each line joins the deployments of one accelerator that no other "
        "of it beats on cost and speed. The ring is the plan: cheapest, not most throughput, since "
        "accelerators differ in price. The stair is the best of all at that speed or a higher one.",
        fronts(groups, spot, labels, high=True), _points(answer),
    )  # fmt: skip


def price_by_speed(answer: Answer) -> Exhibit:
    """Return the price of a token against speed per user."""
    best = answer.plan.best
    spot = Spot(best.speed, price(best))
    labels = Labels(
        SPEED, "USD per million tokens (input + output)",
        f"the plan, {best.deployment}: {dollars(spot.y)} per Mtok at "
        f"{number(spot.x)} tok/s per user",
    )  # fmt: skip
    groups = _groups(answer, {id(option): price(option) for option in _shown(answer)})
    return exhibit(
        "price", "Price of a token against speed per user",
        "Down and to the right is better. The price is that of all tokens served, input and "
        "output, with idle time paid (allocation basis). The stair is "
        "the best of all at that speed or a higher one.",
        fronts(groups, spot, labels, high=False), _points(answer),
    )  # fmt: skip


def _shown(answer: Answer) -> tuple[Option, ...]:
    """Return the priced options of both charts, the plan's own among them."""
    plan = answer.plan
    options = (*plan.alternatives, *plan.curves)
    kept = {(str(o.deployment), o.speed): o for o in options if o.by_allocation is not None}
    return tuple(kept.values())


def _groups(answer: Answer, heights: dict[int, float]) -> Groups:
    """Return the spots by accelerator, in the order of the cheapest deployment of each."""
    found: dict[str, list[Spot]] = {}
    for option in _shown(answer):
        spot = Spot(option.speed, heights[id(option)])
        found.setdefault(option.deployment.accelerator.key, []).append(spot)
    return found


def _points(answer: Answer) -> Table:
    columns = (
        "accelerator", "deployment", "accelerators", "tok/s per user", "tok/s per accelerator",
        "USD/Mtok", "USD/h",
    )  # fmt: skip
    rows = [
        (
            option.deployment.accelerator.key, str(option.deployment),
            str(option.deployment.accelerators), number(option.speed),
            number(throughput(option)), number(price(option)),
            number(None if option.cost is None else option.cost * HOUR),
        )
        for option in _shown(answer)
    ]  # fmt: skip
    return table("Deployments that meet the SLO", columns, rows)


def price_steps(answer: Answer) -> Exhibit:
    """Return the waterfall from the ideal price to the actual one."""
    steps = answer.waterfall
    stages = [Stage(s.name, s.added * MILLION, s.price * MILLION) for s in steps]
    line, remark = _cheapest_api(answer)
    rows = [
        (s.name, number(s.added * MILLION), number(s.price * MILLION), s.formula) for s in steps
    ]
    return exhibit(
        "waterfall", "Where the price comes from",
        "From hardware that reaches every peak rate to what is paid, idle time included: each "
        f"orange bar is what one fact of life adds, green is the actual price. {remark}",
        waterfall(stages, line),
        table("Steps of the price", ("step", "adds, USD/Mtok", "price, USD/Mtok", "formula"), rows),
    )  # fmt: skip


def _cheapest_api(answer: Answer) -> tuple[tuple[str, float] | None, str]:
    """Return the line of the cheapest API price, unless it would dwarf the bars, and its words."""
    if not answer.api:
        return None, "No API price of this model is known."
    offer = answer.api[0]
    blended, name = offer.blended * MILLION, f"{offer.price.provider}, {offer.price.tier}"
    remark = f"The same traffic at the cheapest API ({name}) costs {dollars(blended)} per Mtok."
    near = blended <= 2 * answer.waterfall[-1].price * MILLION
    return (f"API ({name})", blended) if near else None, remark


def swings(answer: Answer) -> Exhibit:
    """Return what each assumption does to the cost, and whether it changes the choice."""
    bars = [
        Bar(
            s.assumption, s.low_factor, s.high_factor, _hourly(s.low_cost), _hourly(s.high_cost),
            s.flips,
        )
        for s in answer.swings
    ]  # fmt: skip
    rows = [
        (
            s.assumption,
            f"x {s.low_factor:g}", number(_hourly(s.low_cost)), s.low_choice or "no plan",
            f"x {s.high_factor:g}", number(_hourly(s.high_cost)), s.high_choice or "no plan",
            s.change,
        )
        for s in answer.swings
    ]  # fmt: skip
    columns = (
        "assumption", "low end", "USD/h at low end", "choice at low end", "high end",
        "USD/h at high end", "choice at high end", "choice changes",
    )  # fmt: skip
    return exhibit(
        "tornado", "What would change the answer",
        "The search is run again with one assumption moved to both ends of its range of doubt. "
        "Orange means that another accelerator, layout or number format would be chosen.",
        tornado(bars, (answer.plan.best.cost or 0.0) * HOUR),
        table("Assumptions moved", columns, rows),
    )  # fmt: skip


def _hourly(cost: float | None) -> float | None:
    return None if cost is None else cost * HOUR


def rate(answer: Answer) -> Exhibit:
    """Return the arrival rate over time."""
    shape = answer.shape
    rows = [
        (number(place * shape.bin_width / 60), number(float(value)))
        for place, value in enumerate(shape.series)
    ]
    return exhibit(
        "arrivals", "Requests over time",
        "Replicas are counted for the busiest minute and paid for the whole span.",
        arrivals(shape.series, shape.bin_width, shape.rate, shape.peak_rate),
        table("Arrival rate", ("start (min)", "requests per second"), rows),
    )  # fmt: skip


def token_lengths(answer: Answer) -> Exhibit:
    """Return the distributions of prompt and output lengths."""
    shape = answer.shape
    rows = [
        (number(float(prompt), 4), number(float(output), 4))
        for prompt, output in zip(shape.inputs, shape.outputs, strict=True)
    ]
    return exhibit(
        "lengths", "Lengths of requests",
        f"{len(shape.inputs)} equally likely points stand for all requests in the prediction.",
        lengths(shape.inputs, shape.outputs),
        table("Lengths", ("prompt (tok)", "output (tok)"), rows),
    )  # fmt: skip


def exhibits(answer: Answer) -> Iterator[Exhibit]:
    """Yield the charts that the answer has data for."""
    if answer.plan.best.by_allocation is not None:
        yield pareto(answer)
        yield price_by_speed(answer)
    if answer.waterfall:
        yield price_steps(answer)
    if answer.swings:
        yield swings(answer)
    yield rate(answer)
    yield token_lengths(answer)


def exhibit(key: str, title: str, caption: str, figure: Figure, data: Table) -> Exhibit:
    """Return a drawn figure with its words and data."""
    return Exhibit(key=key, title=title, caption=caption, drawing=svg(figure, key), data=data)
