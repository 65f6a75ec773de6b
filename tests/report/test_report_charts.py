"""Charts: the right series, plain text for any name, the same bytes, files by their ending."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle, StepPatch
from report_cases import answer_with, full_answer

from inferometer.cli.trace_plot import save_plot
from inferometer.errors import ScenarioError
from inferometer.report import exhibits
from inferometer.report.charts import INK, THEME, canvas, plain_log, save, svg
from inferometer.report.numerals import MILLION
from inferometer.report.plan_charts import (
    Bar,
    Labels,
    Spot,
    Stage,
    best_of,
    fronts,
    tornado,
    waterfall,
)
from inferometer.report.workload_charts import arrivals, lengths

GROUPS = {
    "fast": [Spot(100.0, 10.0), Spot(50.0, 80.0)],
    "cheap": [Spot(20.0, 200.0), Spot(40.0, 60.0)],
    "poor": [Spot(10.0, 1.0)],
}
LABELS = Labels("speed", "throughput", "the plan")


def axes_of(figure: Figure) -> Axes:
    return figure.axes[0]


def lines(figure: Figure) -> dict[str, list[tuple[float, float]]]:
    return {
        str(line.get_label()): [(x, y) for x, y in np.asarray(line.get_xydata(), float).tolist()]
        for line in axes_of(figure).get_lines()
    }


def spans(figure: Figure) -> list[tuple[float, float]]:
    bars = [patch for patch in axes_of(figure).patches if isinstance(patch, Rectangle)]
    return [(bar.get_x(), bar.get_width()) for bar in bars]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in axes_of(figure).texts]


def test_fronts_have_one_line_per_group_and_the_front_over_all() -> None:
    drawn = lines(fronts(GROUPS, Spot(20.0, 200.0), LABELS, high=True))
    assert drawn["fast"] == [(50.0, 80.0), (100.0, 10.0)]
    assert drawn["cheap"] == [(20.0, 200.0), (40.0, 60.0)]
    assert drawn["best over all"] == [(20.0, 200.0), (50.0, 80.0), (100.0, 10.0)]


def test_the_front_turns_over_where_low_is_good() -> None:
    assert best_of(GROUPS, high=False) == [Spot(10.0, 1.0), Spot(100.0, 10.0)]
    assert best_of(GROUPS, high=True) == [Spot(20.0, 200.0), Spot(50.0, 80.0), Spot(100.0, 10.0)]


def test_the_mark_stands_where_no_curve_passes() -> None:
    rising = {"a": [Spot(10.0, 1.0), Spot(100.0, 100.0)], "b": [Spot(5.0, 50.0), Spot(5.0, 60.0)]}
    figure = fronts(rising, Spot(10.0, 1.0), LABELS, high=False)
    (mark,) = axes_of(figure).texts
    figure.draw_without_rendering()
    box = mark.get_window_extent()
    for line in axes_of(figure).get_lines():
        points = axes_of(figure).transData.transform(np.asarray(line.get_xydata(), float))
        assert not any(box.contains(x, y) for x, y in points)


def test_groups_beyond_the_colours_share_a_quiet_one() -> None:
    many = {f"chip {n}": [Spot(10.0 + n, 100.0 - n), Spot(20.0 + n, 50.0 - n)] for n in range(12)}
    figure = fronts(many, Spot(10.0, 100.0), LABELS, high=True)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == [*(f"chip {n}" for n in range(8)), "others", "best over all"]
    assert len(axes_of(figure).get_lines()) == 13


def test_waterfall_bars_add_up() -> None:
    stages = [Stage("ideal", 1.0, 1.0), Stage("engine", 0.5, 1.5), Stage("idle", 1.5, 3.0)]
    figure = waterfall(stages, ("API", 2.0))
    assert spans(figure) == [(0.0, 1.0), (1.0, 0.5), (1.5, 1.5), (0, 3.0)]
    assert texts(figure) == ["$1.00", "+$0.500", "+$1.50", "$3.00", "API: $2.00"]


def test_tornado_bars_span_both_ends_and_the_plan() -> None:
    bars = [
        Bar("price", 0.5, 1.5, 5.0, 15.0, flips=True),
        Bar("rate", 0.8, 1.2, 10.0, 14.0, flips=False),
        Bar("peak", 0.8, 1.2, 8.0, None, flips=True),
        Bar("length", 0.8, 1.2, 10.0, 10.0, flips=False),
    ]
    figure = tornado(bars, 10.0)
    assert spans(figure) == [(5.0, 10.0), (10.0, 4.0), (8.0, 2.0), (10.0, 0.0)]
    assert "x 1.2: no plan" in texts(figure)
    assert "x 0.8 and x 1.2" in texts(figure)
    low, high = axes_of(figure).get_xlim()
    assert low < 5.0
    assert high > 15.0


def test_arrivals_and_lengths_show_their_data() -> None:
    series = np.array([1.0, 3.0, 2.0])
    figure = arrivals(series, 60.0, 2.0, 3.0)
    (steps,) = (patch for patch in axes_of(figure).patches if isinstance(patch, StepPatch))
    values, edges, _ = steps.get_data()
    assert list(values) == [1.0, 3.0, 2.0]
    assert list(edges) == [0.0, 1.0, 2.0, 3.0]
    assert texts(figure) == ["mean 2/s", "busiest minute 3/s"]
    drawn = lengths(np.array([10.0, 30.0]), np.array([5.0, 7.0]))
    assert set(lines(drawn)) == {"prompt, mean 20", "output, mean 6"}


@pytest.mark.parametrize(
    ("low", "high"), [(24.0, 25.0), (1.0, 9.0), (0.003, 4000.0), (0.1, 130.0), (9e2, 2e13)]
)
def test_log_axes_have_plain_labels(low: float, high: float) -> None:
    figure, axes = canvas()
    axes.plot([low, high], [low, high])
    axes.set(xscale="log", yscale="log")
    plain_log(axes.xaxis)
    figure.canvas.draw()
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert 2 <= len(labels) <= 12
    assert not any("$" in label or "e" in label for label in labels)
    assert max(map(len, labels)) <= 6


def test_small_numbers_have_no_powers_of_ten() -> None:
    figure, axes = canvas()
    axes.plot([2e-6, 1.0], [1.0, 1.0])
    axes.set(xscale="log")
    plain_log(axes.xaxis)
    figure.canvas.draw()
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert "0.00001" in labels
    assert [float(label) for label in labels] == [*axes.xaxis.get_majorticklocs()]


def test_the_picture_of_a_trace_is_the_same_each_time(tmp_path: Path) -> None:
    sizes = np.array([10, 30, 20_000])
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        save_plot(tmp_path / folder / "t.svg", None, sizes, sizes + 1, "a $ trace")
    first, second = ((tmp_path / folder / "t.svg").read_text() for folder in ("a", "b"))
    assert first == second
    assert ">10k<" in first


def test_svg_follows_the_page_and_names_no_address() -> None:
    drawn = svg(fronts(GROUPS, Spot(20.0, 200.0), LABELS, high=True), "front")
    assert drawn.startswith("<svg aria-hidden")
    assert "://" not in drawn
    assert "var(--ink)" in drawn
    assert not any(colour in drawn for colour in THEME)
    assert 'id="front-figure_1"' in drawn
    assert ">the plan</text>" in drawn  # text, not outlines


def test_svg_is_the_same_each_time() -> None:
    one, two = (svg(fronts(GROUPS, Spot(20.0, 200.0), LABELS, high=True), "a") for _ in range(2))
    assert one == two


@pytest.mark.parametrize("ending", [".png", ".svg"])
def test_save_writes_the_same_file_twice(ending: str, tmp_path: Path) -> None:
    files = [tmp_path / folder / f"chart{ending}" for folder in ("one", "two")]
    for file in files:
        file.parent.mkdir()
        save(fronts(GROUPS, Spot(20.0, 200.0), LABELS, high=True), file)
    first, second = (file.read_bytes() for file in files)
    assert first == second
    assert first[:4] == (b"\x89PNG" if ending == ".png" else b"<?xm")


def test_saved_colours_are_real() -> None:
    assert all(colour.startswith("#") for colour in THEME)
    assert INK in THEME


def test_save_refuses_other_endings(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"\.png or \.svg"):
        save(canvas()[0], tmp_path / "chart.pdf")


def test_save_refuses_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="missing"):
        save(canvas()[0], tmp_path / "missing" / "chart.png")


def test_exhibits_show_the_plan_itself() -> None:
    answer = full_answer()
    best = answer.plan.best
    rows = exhibits.pareto(answer).data.rows
    assert (best.deployment.accelerator.key, str(best.deployment)) == rows[0][:2]
    assert {row[0] for row in rows} == {
        option.deployment.accelerator.key for option in answer.plan.alternatives
    }
    assert best.by_allocation is not None
    assert exhibits.price(best) == best.by_allocation * MILLION
    assert exhibits.throughput(best) == best.outcome.output_rate / best.deployment.accelerators


def test_curves_hold_nothing_that_the_same_accelerator_beats() -> None:
    curves = full_answer().plan.curves
    for one in curves:
        for two in curves:
            if one is not two and one.deployment.accelerator.key == two.deployment.accelerator.key:
                assert one.cost is not None
                assert two.cost is not None
                assert not (two.cost < one.cost * 0.999 and two.speed > one.speed * 1.001)


def test_an_api_far_above_the_bars_is_said_not_drawn() -> None:
    answer = full_answer()
    dear = answer_with(api=answer.api[-1:])
    line, remark = exhibits._cheapest_api(dear)  # noqa: SLF001
    far = dear.api[0].blended > 2 * answer.waterfall[-1].price
    assert (line is None) == far
    assert "cheapest API" in remark
