from pathlib import Path

import pytest

from inferometer.errors import ScenarioError
from inferometer.loop.setting import Setting, changed, read_settings, setting_text


def test_the_defaults_are_what_the_engine_ships() -> None:
    shipped = Setting()
    assert (shipped.weights, shipped.slots, shipped.batch, shipped.micro_batch) == (
        "as-shipped", 4, 2048, 512,
    )  # fmt: skip


def test_a_setting_survives_its_file(tmp_path: Path) -> None:
    setting = Setting(weights="q8_0", kv="q8_0", slots=8, threads=1, prefix_cache=False)
    (tmp_path / "s.toml").write_text(setting_text(setting))
    assert read_settings(tmp_path / "s.toml") == (setting, 1)


def test_a_scenario_with_llama_cpp_is_followed(tmp_path: Path) -> None:
    text = '[deployment]\ngpu = "x"\nengine = "llama.cpp"\nmax_num_seqs = 6\nreplicas = 2\n'
    (tmp_path / "s.toml").write_text(text + 'kv = "bf16"\nweights = "q8_0"\n')
    setting, engines = read_settings(tmp_path / "s.toml")
    assert (setting.slots, setting.kv, setting.weights, engines) == (6, "f16", "q8_0", 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[setting]\nslot = 4\n", "setting.slot: unknown"),
        ("[setting]\nslots = 0\n", "slots is 0"),
        ('[setting]\nslots = "four"\n', "slots"),
        ('[setting]\nkv = "q3"\n', "kv is 'q3'"),
        ("[setting]\nthreads = -1\n", "threads is -1"),
        ("", "neither a [setting] nor a [deployment]"),
        ('[deployment]\ngpu = "h100"\n', "deployment.engine is 'vllm'"),
        ('[deployment]\nengine = "llama.cpp"\nreplicas = 0\n', "replicas is 0"),
        ("[setting\n", "cannot be read as TOML"),
    ],
)
def test_a_wrong_file_is_refused_by_field(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(ScenarioError) as refused:
        read_settings(tmp_path / "s.toml")
    assert said in str(refused.value)


def test_changes_that_are_none_change_nothing() -> None:
    assert changed(Setting(), slots=None, kv="q8_0") == Setting(kv="q8_0")
