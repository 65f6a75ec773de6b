"""The page of an optimised engine stands alone, says what was saved, and is the same each time."""

from inferometer.report.loop_page import LoopAnswer, render

SETTINGS = [
    {"setting": "as-shipped, 4 slots", "perplexity x reference": 0.99, "predicted $/Mtok": 0.32,
     "measured $/Mtok": 0.45, "95 % low": 0.4, "95 % high": 0.5, "what became of it": "as shipped"},
    {"setting": "q4_0, 4 slots", "perplexity x reference": 1.2, "predicted $/Mtok": None,
     "measured $/Mtok": None, "95 % low": None, "95 % high": None,
     "what became of it": "quality: <b>1.2</b> x"},
]  # fmt: skip
ANSWER = LoopAnswer(
    headline="measured saving: 45.7% of $/Mtok", notes=("why",), settings=SETTINGS,
    runs=[{"setting": "as-shipped, 4 slots", "output tok/s": 14.2}], errors=[],
    assumptions=("declared draw",), command="inferometer optimise",
)  # fmt: skip


def test_the_page_says_it_all_and_needs_nothing() -> None:
    page = render(ANSWER)
    for said in (ANSWER.headline, "as-shipped, 4 slots", "not known", "declared draw", "14.2"):
        assert said in page
    assert "&lt;b&gt;1.2" in page
    assert "<b>1.2" not in page
    for outside in ("http://", "https://", "<script", "src="):
        assert outside not in page
    assert page.count("<svg") == 2
    assert render(ANSWER) == page
