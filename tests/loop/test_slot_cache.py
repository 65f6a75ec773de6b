"""One KV cache for all slots, or one for each: what a slot may use, keep and see in either."""

import json
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from loop_cases import require_engine

from inferometer.loop.bench import Load, bench
from inferometer.loop.client import Endpoint
from inferometer.loop.drive import drive
from inferometer.loop.jobs import Job
from inferometer.loop.launch import model_file
from inferometer.loop.machine import Machine
from inferometer.loop.setting import Setting
from inferometer.loop.trial import Bed, engine
from inferometer.loop.words import WORDS

MACHINE = Machine(
    name="test", cores=2, clock=2e9, memory=16e9, bandwidth=32e9, draw=16.0, cost=4e-5
)


def _job(first: int, tokens: int, output: int) -> Job:
    words = " ".join(WORDS[(first + 7 * place) % len(WORDS)] for place in range(tokens))
    return Job(at=0.0, prompt=words, input_tokens=tokens, output_tokens=output)


def _slots(endpoint: Endpoint) -> list[int]:
    with urllib.request.urlopen(f"{endpoint.url}/slots", timeout=30) as reply:  # noqa: S310
        return [slot["n_ctx"] for slot in json.loads(reply.read())]


@pytest.mark.parametrize("unified", [True, False])
def test_a_slot_has_its_context_and_keeps_its_prompt(tmp_path: Path, unified: bool) -> None:
    require_engine()
    setting = Setting(slots=3, context=256, unified=unified)
    bed = Bed(shipped=model_file(), machine=MACHINE, folder=tmp_path, say=lambda _: None)
    with engine(bed, setting) as endpoint:
        assert _slots(endpoint) == [256, 256, 256]
        full = [_job(100 * n, 200, 40) for n in range(3)]
        assert len(drive(endpoint, full, clients=3).good) == 3  # all contexts full at once
        again = bench(endpoint, [_job(100, 200, 4)], Load(clients=1, warm=0))
        assert again.summary.cached > 0.9
        assert again.spent.prompt_tokens == pytest.approx(200 * (1 - again.summary.cached), abs=20)
        beyond = drive(endpoint, [_job(0, 320, 4), full[0]], clients=1)
        assert [bool(shot.error) for shot in beyond.shots] == [True, False]


def test_both_caches_give_the_same_greedy_answer_alone(tmp_path: Path) -> None:
    require_engine()
    bed = Bed(shipped=model_file(), machine=MACHINE, folder=tmp_path, say=lambda _: None)
    plain = Setting(slots=2, context=192, threads=1)
    body = {"prompt": "The capital of France is", "n_predict": 12, "temperature": 0}
    texts = list[str]()
    for setting in (plain, replace(plain, unified=False)):
        with engine(bed, setting) as endpoint:
            request = urllib.request.Request(  # noqa: S310
                f"{endpoint.url}/completion", json.dumps(body).encode(),
                {"Content-Type": "application/json"},
            )  # fmt: skip
            with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310
                texts.append(json.loads(reply.read())["content"])
    assert texts[0] == texts[1]
    assert len(texts[0]) > 10
