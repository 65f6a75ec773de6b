from pathlib import Path

import pytest

from inferometer.errors import ScenarioError
from inferometer.loop.launch import vllm
from inferometer.loop.setting import Setting, context_for, read_settings, setting_text
from inferometer.loop.stack import StackSpec, build


def test_the_defaults_are_what_the_engine_ships() -> None:
    shipped = Setting()
    assert (shipped.weights, shipped.slots, shipped.batch, shipped.micro_batch) == (
        "as-shipped", 4, 2048, 512,
    )  # fmt: skip
    assert shipped.unified


def test_a_setting_survives_its_file(tmp_path: Path) -> None:
    setting = Setting(
        weights="q8_0", kv="q8_0", slots=8, threads=1, prefix_cache=False, unified=False
    )
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


def test_a_context_holds_what_it_is_for_and_what_the_engine_adds() -> None:
    assert [context_for(tokens) for tokens in (1, 48, 49, 160)] == [64, 64, 128, 192]


def test_vllm_refuses_what_it_would_ignore() -> None:
    for setting, name in (
        (Setting(kv="q8_0"), "kv"), (Setting(threads=2), "threads"),
        (Setting(weights="q4_0"), "weights"), (Setting(micro_batch=64), "micro_batch"),
        (Setting(unified=False), "unified"),
    ):  # fmt: skip
        with pytest.raises(ScenarioError, match=rf"setting\.{name} is .*leave it out for vLLM"):
            vllm(setting, "m", alias="m", port=1)


@pytest.mark.parametrize("engines", [0, -1, 65])
def test_engines_are_as_many_as_a_machine_may_run(tmp_path: Path, engines: int) -> None:
    with pytest.raises(ScenarioError, match=f"engines is {engines}; 1 to 64"):
        build(StackSpec(engines=engines, kind="vllm", model="m"), tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ScenarioError, match=r"file: cannot be written: .*another folder"):
        build(StackSpec(kind="vllm", model="m"), tmp_path / "file")
