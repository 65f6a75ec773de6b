"""The page: well-formed, alone, escaped, repeatable, and every number on it has its source."""

import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_cases import SCENARIO, answer_with, full_answer

from inferometer.cli.scenario import read_scenario
from inferometer.cli.scenario_text import toml
from inferometer.errors import ScenarioError
from inferometer.plan.break_even import break_even
from inferometer.report.numerals import HOUR, MILLION, dollars, milliseconds, share
from inferometer.report.page import render, write
from inferometer.report.rivals import FORMULAS, break_evens
from inferometer.report.sections import alternatives
from inferometer.workload.shape import Shape

VOID = {"meta", "br", "link", "img", "input", "hr"}
Attributes = list[tuple[str, str | None]]
HOSTILE = '<script>alert("x")</script> & <img src=x onerror=alert(1)> $a$'


@dataclass(slots=True)
class Page:
    """What a page holds, and the first tag that is closed out of order."""

    open: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    fault: str = ""

    def values(self, *names: str) -> list[str]:
        return [value for name, value in self.attributes if name in names]


def parsed(text: str) -> Page:
    page, parser = Page(), HTMLParser()

    def note(tag: str, attributes: Attributes) -> None:
        page.tags.append(tag)
        page.attributes += [(name, value or "") for name, value in attributes]

    def start(tag: str, attributes: Attributes) -> None:
        note(tag, attributes)
        page.open += [tag] if tag not in VOID else []

    def end(tag: str) -> None:
        last = page.open.pop() if page.open else "nothing"
        if last != tag and not page.fault:
            page.fault = f"</{tag}> closes <{last}> at {parser.getpos()}"

    vars(parser).update(
        handle_starttag=start,
        handle_startendtag=note,
        handle_endtag=end,
        handle_data=page.text.append,
    )
    parser.feed(text)
    parser.close()
    return page


def words(text: str) -> str:
    return re.sub(r"\s+", " ", " ".join(parsed(text).text))


def test_page_is_well_formed() -> None:
    page = parsed(render(full_answer()))
    assert not page.fault
    assert not page.open
    assert len(page.values("id")) == len(set(page.values("id")))
    assert page.tags.count("svg") == 6


def test_page_loads_nothing() -> None:
    text = render(full_answer())
    page = parsed(text)
    addresses = page.values("href", "src", "xlink:href", "action", "data", "srcset")
    assert addresses
    assert all(address.startswith(("#", "data:text/csv")) for address in addresses)
    assert {place[1:] for place in addresses if place[0] == "#"} <= set(page.values("id"))
    assert not {"script", "link", "iframe", "img", "object"} & set(page.tags)
    assert "://" not in text.replace("&#34;", "")
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert "default-src 'none'" in text


def test_hostile_names_are_text() -> None:
    answer = full_answer()
    best = answer.plan.best
    assert best.price is not None
    named = replace(
        best,
        deployment=replace(best.deployment, model=replace(best.deployment.model, name=HOSTILE)),
        price=replace(best.price, provider=HOSTILE),
    )
    changed = answer_with(
        plan=replace(answer.plan, best=named, alternatives=(named, *answer.plan.alternatives[1:])),
        shape=replace(answer.shape, name=HOSTILE),
        weights=(HOSTILE,),
        scenario=HOSTILE,
        command=("inferometer", HOSTILE),
    )
    text = render(changed)
    page = parsed(text)
    assert not page.fault
    assert not {"script", "img"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert words(text).count('<script>alert("x")</script>') >= 5


def test_hostile_accelerator_stays_text_in_charts() -> None:
    answer = full_answer()
    options = tuple(
        replace(
            option,
            deployment=replace(
                option.deployment, accelerator=replace(option.deployment.accelerator, key=HOSTILE)
            ),
        )
        for option in answer.plan.curves
    )
    text = render(answer_with(plan=replace(answer.plan, curves=options)))
    page = parsed(text)
    assert not page.fault
    assert not {"script", "img"} & set(page.tags)
    assert "alert(1)> $a$" in words(text)  # in the legend, not read as a formula


def test_same_answer_same_bytes() -> None:
    assert render(full_answer()) == render(full_answer())


def test_same_bytes_in_another_process() -> None:
    code = "from report_cases import full_answer; from inferometer.report.page import render;"
    code += "import hashlib; print(hashlib.sha256(render(full_answer()).encode()).hexdigest())"
    folder = Path(__file__).parent
    found = {
        subprocess.run(  # noqa: S603
            [sys.executable, "-c", code],
            cwd=folder.parent,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_the_answer_is_said_with_its_numbers() -> None:
    answer = full_answer()
    best, text = answer.plan.best, words(render(answer))
    assert best.cost is not None
    assert best.bill.allocation is not None
    assert best.bill.usage is not None
    assert f"on {best.deployment.accelerators} x {best.deployment.accelerator.name}" in text
    assert dollars(best.cost * HOUR) in text
    assert dollars(best.cost * 730 * HOUR) in text
    for costs in (best.bill.allocation, best.bill.usage):
        for part in (costs.input, costs.output, costs.blended):
            assert dollars(part * MILLION) in text
    for target in answer.plan.slo.targets:
        value = getattr(getattr(best.outcome, target.metric), target.quantile)
        assert milliseconds(value) in text
        assert milliseconds(target.limit) in text
    assert best.outcome.binding in text
    for line in answer.plan.why:
        assert re.sub(r"\s+", " ", line) in text


def test_every_source_is_named() -> None:
    answer = full_answer()
    text = words(render(answer))
    for fact in answer.facts:
        assert re.sub(r"\s+", " ", fact.source) in text, fact
    for offer in answer.api:
        assert offer.price.source.source in text
    for option in answer.plan.alternatives:
        assert option.price is not None
        assert option.price.provider in text


def test_figures_of_the_hardware_carry_value_and_source() -> None:
    answer = full_answer()
    chip = answer.plan.best.deployment.accelerator
    text = words(render(answer))
    bandwidth = chip.memory_bandwidth / 1e9
    source = chip.sources.get("memory_bandwidth") or chip.sources[""]
    assert f"memory_bandwidth {bandwidth:,.6g} GB/s {source.source}" in text


def test_all_configurations_are_accounted_for() -> None:
    plan = full_answer().plan
    text = words(render(full_answer()))
    for reason, count in plan.excluded.items():
        assert f"{reason} {count:,}" in text
    assert f"all {plan.enumerated:,} 100 %" in text


def test_parts_without_data_are_left_out_and_said() -> None:
    text = render(answer_with(waterfall=(), swings=(), api=(), comparison=None))
    assert parsed(text).tags.count("svg") == 4
    assert "Against today" not in text
    assert "unpriced, not free" in text


def test_unpriced_is_never_zero() -> None:
    answer = full_answer()
    best = replace(
        answer.plan.best,
        price=None,
        cost=None,
        bill=replace(answer.plan.best.bill, rent=None, power=None, allocation=None, usage=None),
    )
    text = words(
        render(answer_with(plan=replace(answer.plan, best=best), waterfall=(), swings=(), api=()))
    )
    assert "per hour unpriced" in text
    assert "allocation: all hours rented unpriced unpriced unpriced unpriced" in text


def test_a_cheaper_api_is_said_in_the_answer() -> None:
    answer = full_answer()
    assert answer.plan.best.cost is not None
    cheap = replace(answer.api[0], rate=answer.plan.best.cost / 2)
    text = words(render(answer_with(api=(cheap,))))
    assert "50 % less than this plan" in text
    dear = replace(answer.api[0], rate=answer.plan.best.cost * 3)
    assert "200 % more than this plan" in words(render(answer_with(api=(dear,))))


def test_saving_over_today() -> None:
    answer = full_answer()
    assert answer.comparison is not None
    assert answer.comparison.saving is not None
    text = words(render(answer))
    assert f"saves {dollars(answer.comparison.saving * HOUR)} per hour" in text
    for change in answer.comparison.changes:
        assert change in text


def test_names_of_targets_without_a_limit() -> None:
    plan = replace(full_answer().plan, slo=replace(full_answer().plan.slo, targets=()))
    assert "No target was set" in words(render(answer_with(plan=plan)))


def test_a_flat_workload_is_drawn() -> None:
    flat: Shape = replace(
        full_answer().shape, peak_rate=10.0, series=full_answer().shape.series[:1]
    )
    assert "busiest minute 10/s" in words(render(answer_with(shape=flat)))


def test_write_makes_the_file(tmp_path: Path) -> None:
    write(full_answer(), tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == render(full_answer())


def test_write_refuses_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="missing"):
        write(full_answer(), tmp_path / "missing" / "report.html")


def test_scenario_text_reads_back(tmp_path: Path) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text(toml(SCENARIO), encoding="utf-8")
    assert read_scenario(file) == SCENARIO


def is_scenario(path: Path) -> bool:
    """Return whether `plan` reads a file: agents and retrieval have readers of their own."""
    return not {"agent", "retrieval"} & tomllib.loads(path.read_text(encoding="utf-8")).keys()


SCENARIOS = [path for path in sorted(Path("examples").glob("*.toml")) if is_scenario(path)]


@pytest.mark.parametrize("example", SCENARIOS, ids=str)
def test_examples_read_back(example: Path, tmp_path: Path) -> None:
    scenario = read_scenario(example)
    file = tmp_path / "scenario.toml"
    file.write_text(toml(scenario), encoding="utf-8")
    assert read_scenario(file) == scenario


def test_break_even_of_every_api_is_stated() -> None:
    answer = full_answer()
    rows = break_evens(answer).rows
    assert [row[0] for row in rows] == [offer.price.provider for offer in answer.api]
    for row, offer in zip(rows, answer.api, strict=True):
        found = break_even(answer.plan.best, offer)
        assert row[3] == ("" if found.utilisation is None else share(found.utilisation))
        assert bool(row[3]) != bool(row[-1])  # a load, or why there is none
    text = words(render(answer))
    assert all(line in text for line in FORMULAS)


def test_alternatives_are_dated_and_absurd_ones_counted() -> None:
    answer = full_answer()
    found = alternatives(answer)
    dates = [row[found.columns.index("quoted")] for row in found.rows]
    prices = [option.price for option in answer.plan.near]
    assert dates == [price.valid_from.isoformat() for price in prices if price is not None]
    *_, last = answer.plan.alternatives
    assert answer.plan.best.cost is not None
    dear = replace(last, cost=11 * answer.plan.best.cost)
    plan = replace(answer.plan, alternatives=(*answer.plan.alternatives[:-1], dear))
    cut = alternatives(replace(answer, plan=plan))
    assert len(cut.rows) == len(found.rows) - 1
    assert "1 at more than 10 x the plan's cost left out" in cut.caption


def test_the_price_is_dated() -> None:
    price = full_answer().plan.best.price
    assert price is not None
    assert f"quote of {price.valid_from}" in render(full_answer())
