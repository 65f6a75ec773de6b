"""How rows of load generators are read: what starts together, what stays in step, what fits."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from inferometer.calibrate.bench import compile_groups
from inferometer.calibrate.files import read
from inferometer.calibrate.finding import finder
from inferometer.calibrate.forecast import forecast
from inferometer.calibrate.measurement import Load, Observation
from inferometer.calibrate.observation import observe
from inferometer.calibrate.serving_load import SPREAD_MEAN
from inferometer.catalog.efficiency import efficiencies

HEADER = (
    "row_id,source,workload,model,model_family,gpu,num_gpus,tp,load_type,isl,osl,"
    "concurrency_or_rate,num_requests,precision,engine,ttft_ms_p50,ttft_ms_mean,latency_stat_note,"
    "note\n"
)
Seen = Callable[[str], Observation]
UNSURE = "file does not say median or mean"


def row(  # noqa: PLR0913 - the columns that tests vary
    *, source: str = "lab", load: str = "concurrency", inputs: str = "1024", outputs: str = "256",
    clients: str = "32", requests: str = "", engine: str = "vllm", statistic: str = "",
    note: str = "",
) -> str:  # fmt: skip
    model = "meta-llama/Llama-3.1-8B,llama3,H100-SXM,1,1"
    return (f"a,{source},synthetic,{model},{load},{inputs},{outputs},{clients},{requests},bf16,"
            f"{engine},100,120,{statistic},{note}\n")  # fmt: skip


@pytest.fixture
def seen(tmp_path: Path) -> Seen:
    def reader(text: str) -> Observation:
        path = tmp_path / "rows.csv"
        path.write_text(HEADER + text, encoding="utf-8")
        observations, refusals = observe(read(path), finder())
        assert not refusals
        return observations[0]

    return reader


def load(seen: Seen, text: str) -> Load:
    return seen(text).load


def test_means_count_the_first_requests_by_their_share_and_medians_where_they_are_the_most(
    seen: Seen,
) -> None:
    long, short = load(seen, row(requests="320")), load(seen, row(requests="40"))
    assert (long.burst, long.burst_median) == (0.1, 0.0)
    assert (short.burst, short.burst_median) == (0.8, 1.0)


def test_a_statistic_that_does_not_say_which_it_is_counts_as_a_mean(seen: Seen) -> None:
    unsure = load(seen, row(statistic=UNSURE))
    assert unsure.burst == unsure.burst_median == 0.1


def test_whole_lengths_are_those_of_every_request_unless_the_source_spreads_them(
    seen: Seen,
) -> None:
    assert load(seen, row()).lockstep == 1.0
    assert load(seen, row(inputs="215.2")).lockstep == 0.0
    spread = load(seen, row(source="aic-silicon/inferencex"))
    assert spread.lockstep == 0.0
    assert (spread.inputs, spread.outputs) == (1024 * SPREAD_MEAN, 256 * SPREAD_MEAN)


def test_a_burst_as_long_as_the_run_is_all_queue(seen: Seen) -> None:
    def first(text: str) -> float:
        (group,) = compile_groups([seen(text)], efficiencies())
        return float(forecast(group)["ttft_p50"][0])

    assert first(row(clients="64", requests="64")) > 2 * first(row(clients="64", requests="6400"))


def test_engines_that_put_prompts_first_keep_the_wave_of_the_start(seen: Seen) -> None:
    observations = [seen(row(engine=name, requests="6400")) for name in ("vllm", "sglang")]
    groups = [compile_groups([one], efficiencies())[0] for one in observations]
    mixed, waves = (float(forecast(group)["ttft_p50"][0]) for group in groups)
    assert waves > 2 * mixed


def test_a_stated_limit_on_sequences_is_that_of_an_open_run(seen: Seen) -> None:
    def limit(note: str) -> float:
        text = row(load="rate", clients="1000", requests="1000", inputs="100", note=note)
        (group,) = compile_groups([seen(text)], efficiencies())
        return float(group.main.limit[0])

    assert limit("") == 256
    assert limit("max-num-seqs=512; chunked=TRUE") == 512


def test_quantiles_of_an_open_run_are_in_order(seen: Seen) -> None:
    text = row(load="rate", clients="30", requests="1000")
    (group,) = compile_groups([seen(text)], efficiencies())
    found = forecast(group)
    assert found["ttft_p50"] <= found["ttft_p99"]
    assert np.isfinite(found["ttft_mean"]).all()


def test_inferencex_gives_tensorrt_llm_room_for_one_prompt_a_step(seen: Seen) -> None:
    def budget(engine: str, source: str) -> int:
        one = seen(row(source=source, engine=engine, clients="64"))
        return one.subject.deployment.settings.max_batched_tokens

    assert 1024 + 64 < budget("trtllm", "aic-silicon/inferencex") < 2 * 1024
    assert budget("trtllm", "lab") == budget("vllm", "aic-silicon/inferencex") == 8192


def test_all_requests_at_once_are_a_run_that_starts_with_its_backlog(seen: Seen) -> None:
    def first(requests: str, load: str = "offline", clients: str = "") -> float:
        one = seen(row(load=load, clients=clients, requests=requests))
        (group,) = compile_groups([one], efficiencies())
        return float(forecast(group)["ttft_p50"][0])

    assert first("1000") > 3 * first("200")
    assert first("1000") == pytest.approx(first("1000", "rate", "1000000"), rel=0.01)


def test_without_a_number_of_requests_all_at_once_is_a_full_house(seen: Seen) -> None:
    assert load(seen, row(load="offline", clients="")).kind == "offline"


def test_the_tail_of_a_run_is_its_start_where_that_is_more_than_one_in_a_hundred(
    seen: Seen,
) -> None:
    def tail(requests: str) -> float:
        (group,) = compile_groups([seen(row(clients="64", requests=requests))], efficiencies())
        found = forecast(group)
        assert found["ttft_p50"] < found["ttft_p99"] < found["e2e_p99"]
        return float(found["ttft_p99"][0])

    assert tail("640") > 1.5 * tail("12800")
    assert tail("6400") == pytest.approx(tail("12800"))


def test_an_image_counts_as_the_tokens_that_its_model_makes_of_it(tmp_path: Path) -> None:
    header = (
        "row_id,source,task,model,gpu,num_gpus,tp,precision,engine,max_num_seqs,avg_output_len,"
        "tokens_per_s\n"
    )
    names = (
        "llava-hf/llava-1.5-7b-hf",
        "facebook/chameleon-7b",
        "meta-llama/Llama-3.1-8B-Instruct",
    )
    path = tmp_path / "energy.csv"
    path.write_text(
        header
        + "".join(f"{n},lab,mllm-chat,{n},A100-SXM-40GB,1,1,bf16,vllm,16,200,300\n" for n in names)
    )
    observations, _ = observe(read(path), finder())
    text = 75
    assert [one.load.inputs - text for one in observations] == [576, 1024, 576]  # unknown: LLaVA's


def test_streams_at_llama_cpp_are_served_in_turn(tmp_path: Path) -> None:
    header = (
        "source,model,gpu,num_gpus,tp,engine,precision,phase,workload,batch,power_cap_w,"
        "tokens_per_s,avg_power_w\n"
    )
    row = "lab,Qwen/Qwen3-8B,RTX4090,1,1,{},Q4_K_M,decode,{},4,400,50,300\n"
    path = tmp_path / "dvfs.csv"
    path.write_text(
        header
        + row.format("llama.cpp", "4 streams narrative decode")
        + row.format("llama.cpp", "batched decode")
        + row.format("vllm", "4 streams narrative decode")
    )
    observations, _ = observe(read(path), finder())
    assert [one.load.clients for one in observations] == [1, 4, 4]
