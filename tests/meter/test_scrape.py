"""Costs from an engine's counters: exact sums, the unallocated part shown, restarts refused."""

import http.server
import json
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from meter.test_attribution import WORK

from inferometer.cli.app import run
from inferometer.errors import LedgerError
from inferometer.meter.exposition import samples
from inferometer.meter.scrape import UNALLOCATED, Counted, counted, lines

VLLM = """# HELP vllm:prompt_tokens_total Number of prefill tokens processed.
# TYPE vllm:prompt_tokens_total counter
vllm:prompt_tokens_total{engine="0",model_name="a"} 1000.0
vllm:prompt_tokens_total{engine="1",model_name="a"} 500.0
vllm:prompt_tokens_cached_total{engine="0",model_name="a"} 300.0
vllm:generation_tokens_total{engine="0",model_name="a"} 200.0
vllm:generation_tokens_total{engine="0",model_name="b \\"x\\""} 50.0
vllm:num_requests_running{engine="0",model_name="a"} 2.0
vllm:e2e_request_latency_seconds_bucket{le="+Inf",model_name="a"} 9.0
"""
LLAMA = """llamacpp:prompt_tokens_total {prompt}
llamacpp:prompt_seconds_total {seconds}
llamacpp:tokens_predicted_total {generated}
llamacpp:tokens_predicted_seconds_total {seconds}
llamacpp:requests_processing 1
"""


def test_counters_are_summed_over_engines_by_model() -> None:
    found = counted(samples(VLLM), "-")
    assert found["a"] == Counted(1500, 300, 200, None, 2)
    assert found['b "x"'].generated == 50


def test_lines_add_up_and_show_what_is_unallocated() -> None:
    first, last = {"a": Counted()}, {"a": Counted(1000, 400, 200, None, 2)}
    found = lines(first, last, 60.0, 4 / 3600, WORK)
    assert sum(one.nano for one in found) == round(60 * 4 / 3600 * 1e9)
    by = {one.model: one for one in found}
    assert by["a"].seconds == pytest.approx(600 * 2e-5 + 200 * 0.010)
    assert by[UNALLOCATED].seconds == pytest.approx(60 - by["a"].seconds)


def test_an_engine_that_counts_its_time_is_believed() -> None:
    last = {"m": Counted(1000, 0, 200, 12.5)}
    found = lines({"m": Counted(0, 0, 0, 2.5)}, last, 60.0, 1.0, WORK)
    assert found[0].seconds == 10


def test_more_work_than_time_leaves_nothing_unallocated() -> None:
    found = lines({}, {"a": Counted(10**9, 0, 10**9)}, 60.0, 1.0, WORK)
    assert [one.nano for one in found] == [60 * 10**9, 0]


def test_a_restart_is_refused() -> None:
    with pytest.raises(LedgerError, match="restarted"):
        lines({"a": Counted(10)}, {"a": Counted(5)}, 60.0, 1.0, WORK)


@pytest.mark.parametrize("page", ["x{ 1", "name", "name one", 'vllm:x{a="b"} 1 2 3'])
def test_a_damaged_page_is_refused(page: str) -> None:
    with pytest.raises(LedgerError, match="line 1"):
        list(samples(page))


def test_a_page_of_something_else_is_refused() -> None:
    with pytest.raises(LedgerError, match="vLLM, SGLang or llama"):
        counted(samples("up 1"), "-")


@pytest.fixture
def engine() -> Iterator[str]:
    """A server whose counters grow at every reading."""
    numbers = count(1)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            number = next(numbers)
            page = LLAMA.format(prompt=100 * number, generated=10 * number, seconds=0.01 * number)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(page.encode())

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_command(engine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = tmp_path / "s.toml"
    scenario.write_text('model = "llama-3.1-8b"\n[deployment]\ngpu = "h100-sxm"\n')
    options = ("--usd-per-hour", "2.5", "--every", "0.2", "--format", "json")
    assert run(("meter", "scrape", engine, str(scenario), *options)) == 0
    answer = json.loads(capsys.readouterr().out)
    model, rest = answer["lines"]
    assert (model["model"], model["prompt_tokens"]) == ("llama-3.1-8b", 100)
    assert rest["model"] == UNALLOCATED
    assert model["nano"] + rest["nano"] == pytest.approx(
        answer["seconds"] * 2.5 / 3600 * 1e9, abs=1
    )
    assert run(("meter", "scrape", "file:///etc/passwd", str(scenario), *options)) == 2
    assert "http" in capsys.readouterr().err
