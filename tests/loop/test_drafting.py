"""Drafts that the engine looks up: what it counts of them, what is predicted, what stays equal."""

import datetime as dt
import json
import sys
import urllib.request
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from loop_cases import require_engine

from inferometer.deployment import Speculation
from inferometer.errors import ScenarioError
from inferometer.loop.bench import Load, bench
from inferometer.loop.client import Endpoint
from inferometer.loop.drafting import Drafting, Drafts, drafting, drafts_between, drafts_of
from inferometer.loop.fitting import Fit, overlay_text
from inferometer.loop.forecast import forecast
from inferometer.loop.jobs import Job, jobs_of
from inferometer.loop.launch import PYTHON_VARIABLE, model_file, vllm
from inferometer.loop.local import deployment_here
from inferometer.loop.machine import Machine, records
from inferometer.loop.setting import Setting, read_settings, setting_text
from inferometer.loop.trial import Bed, drafted, engine
from inferometer.loop.walk import Axes, candidates
from inferometer.meter.exposition import samples
from inferometer.workload.trace import Trace

MACHINE = Machine(
    name="test", cores=2, clock=2e9, memory=16e9, bandwidth=32e9, draw=16.0, cost=4e-5
)
PLAIN = Setting(context=192, threads=1, slots=1)
PAGE = """
{0}:tokens_predicted_total 256
{0}:spec_decode_num_draft_tokens_total 100
{0}:spec_decode_num_accepted_tokens_total 60
{0}:spec_decode_num_drafts_total 40
{0}:spec_decode_num_accepted_tokens_per_pos_total{{position="1"}} 20
{0}:spec_decode_num_accepted_tokens_per_pos_total{{position="0"}} 40
"""


@pytest.mark.parametrize("prefix", ["llamacpp", "vllm"])
def test_the_counters_of_both_engines_are_read_by_position(prefix: str) -> None:
    found = drafts_of(samples(PAGE.format(prefix)))
    assert found == Drafts(rounds=40, proposed=100, accepted=(40.0, 20.0))


def test_an_engine_without_the_counters_has_unknown_drafts_not_none() -> None:
    assert drafts_of(samples("llamacpp:tokens_predicted_total 5\n")) is None
    none = drafts_of(samples("llamacpp:spec_decode_num_drafts_total 0\n"))
    assert none == Drafts()


def test_a_run_is_the_difference_of_two_readings_and_unknown_after_a_restart() -> None:
    first = Drafts(rounds=10, proposed=20, accepted=(5.0,))
    last = Drafts(rounds=50, proposed=120, accepted=(45.0, 20.0))
    assert drafts_between(first, last) == Drafts(rounds=40, proposed=100, accepted=(40.0, 20.0))
    assert drafts_between(last, first) is None
    assert drafts_between(None, last) is None


def test_steps_with_a_draft_and_their_share_give_back_what_was_counted() -> None:
    counted = Drafts(rounds=40, proposed=160, accepted=(30.0, 20.0, 10.0))
    found = drafting(counted, longest=4, tokens=200)
    assert found is not None
    assert found.speculation.draft_tokens == 4
    assert found.speculation.accepted == pytest.approx(60 / 40)
    assert found.share == pytest.approx((40 + 60) / 200)  # each such step gives its own token too
    assert drafting(Drafts(), longest=4, tokens=200) is None


def test_a_draft_survives_its_file_and_is_an_axis(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(setting_text(Setting(draft=4)))
    assert read_settings(tmp_path / "s.toml")[0].draft == 4
    assert str(Setting(draft=4)).endswith(", draft 4")
    assert "draft" not in str(Setting())
    axes = Axes(weights=(), slots=(), draft=(2, 4))
    assert [one.setting.draft for one in candidates(Setting(), axes)] == [0, 2, 4]
    with pytest.raises(ScenarioError, match="draft is 65; 0 to 64"):
        Setting(draft=65)
    with pytest.raises(
        ScenarioError, match="8 slots then verify 72 tokens in a step, above batch 64"
    ):
        Setting(slots=8, draft=8, batch=64)


def test_a_scenario_asks_for_look_up_and_a_draft_model_is_refused(tmp_path: Path) -> None:
    text = '[deployment]\nengine = "llama.cpp"\ndraft_tokens = 4\n'
    path = tmp_path / "s.toml"
    path.write_text(text)
    assert read_settings(path)[0].draft == 4
    path.write_text(text + "draft_cost = 0.1\n")
    with pytest.raises(ScenarioError, match=r"draft_cost is 0\.1, so a draft model is meant"):
        read_settings(path)


def test_vllm_is_given_the_same_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PYTHON_VARIABLE, sys.executable)
    words = vllm(Setting(draft=4), "m", alias="m", port=1).words
    given = json.loads(words[words.index("--speculative-config") + 1])
    assert given["method"] == "ngram"
    assert given["num_speculative_tokens"] == 4
    assert "--speculative-config" not in vllm(Setting(), "m", alias="m", port=1).words


def _trace(requests: int) -> Trace:
    return Trace(
        arrival=np.zeros(requests), input_tokens=np.full(requests, 24),
        output_tokens=np.full(requests, 32), name="test",
    )  # fmt: skip


def test_drafts_accepted_pay_and_drafts_refused_cost(tmp_path: Path) -> None:
    require_engine()
    overlay, setting, day = (
        tmp_path / "machine.toml",
        replace(PLAIN, slots=4),
        dt.date(2026, 11, 26),
    )
    known = records(MACHINE, slots=4, day=day)
    overlay.write_text(known)
    constant = Fit(arithmetic=1e12, step=0.02, sequence=0.001, prefill=0.0005, request=0.002)
    here = deployment_here(model_file(), setting, overlay)
    overlay.write_text(overlay_text(constant, here, known, day))

    def rate(drafts: Drafting | None) -> float:
        return forecast(_trace(12), model_file(), setting, overlay, clients=4, draw=16.0,
                        drafts=drafts).output_rate  # fmt: skip

    def of(share: float, accepted: float) -> Drafting:
        rates = (accepted,) * 4
        return Drafting(share=share, speculation=Speculation(draft_tokens=4, by_position=rates))

    plain = rate(None)
    assert rate(of(0.0, 1.0)) == pytest.approx(plain)
    assert rate(of(1.0, 0.0)) < plain < rate(of(0.5, 1.0)) < rate(of(1.0, 1.0))
    middle = 2 / (1 / plain + 1 / rate(of(1.0, 1.0)))  # half of the tokens take half of each time
    assert rate(of(0.5, 1.0)) == pytest.approx(middle, rel=0.02)


def _answer(endpoint: Endpoint, prompt: str) -> str:
    asked = {"prompt": prompt, "max_tokens": 48, "temperature": 0, "ignore_eos": True}
    request = urllib.request.Request(  # noqa: S310
        f"{endpoint.url}/v1/completions",
        json.dumps(asked).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=100) as reply:  # noqa: S310
        text: str = json.load(reply)["choices"][0]["text"]
    return text


REPEATED = "one two three four five six seven eight nine ten " * 5
"""Text that goes on as it began."""


def test_the_engine_drafts_what_repeats_and_its_answer_stays_the_same(tmp_path: Path) -> None:
    require_engine()
    bed = Bed(shipped=model_file(), machine=MACHINE, folder=tmp_path, say=lambda _: None)
    with engine(bed, PLAIN) as endpoint:
        plain = _answer(endpoint, REPEATED)
    with engine(bed, replace(PLAIN, draft=4)) as endpoint:
        assert _answer(endpoint, REPEATED) == plain
        job = Job(at=0.0, prompt=REPEATED, input_tokens=60, output_tokens=48)
        found = bench(endpoint, [job], Load(clients=1, warm=0))
    assert found.summary.output_tokens == 48
    assert found.summary.drafted is not None
    assert found.summary.accepted is not None
    assert found.summary.drafted > 0.2
    assert 0.5 < found.summary.accepted <= 1


def test_a_sample_of_the_trace_tells_what_drafts_do_to_it(tmp_path: Path) -> None:
    require_engine()
    said = list[str]()
    bed = Bed(shipped=model_file(), machine=MACHINE, folder=tmp_path, say=said.append)
    found = drafted(bed, replace(PLAIN, slots=2, draft=4), jobs_of(_trace(3), 1))
    assert any("tokens proposed" in line for line in said)
    if found is not None:  # a model may never repeat itself
        assert 0 < found.share <= 1
        assert found.speculation.draft_tokens == 4
