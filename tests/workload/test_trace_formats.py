"""Every trace format on small files: what it reads, and what it refuses."""

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest

from inferometer.errors import WorkloadError
from inferometer.workload.formats.files import read, read_either, read_lengths, sniff

AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
BURST = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"


def file_of(folder: Path, text: str | bytes, name: str = "trace") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def mooncake(hashes: list[int], tokens: int = 1024, moment: float = 0) -> str:
    row = {"timestamp": moment, "input_length": tokens, "output_length": 1, "hash_ids": hashes}
    return json.dumps(row) + "\n"


def test_azure_keeps_the_seventh_digit_and_the_time_zone(tmp_path: Path) -> None:
    rows = "2024-05-10 00:00:00.0000001+00:00,10,2\n2024-05-10 02:00:01.0000003+02:00,11,3\n"
    found = read(file_of(tmp_path, AZURE + rows))
    assert found.format == "azure"
    assert found.trace.arrival.tolist() == [0, 1.0000002]


def test_unsorted_rows_are_sorted_and_counted(tmp_path: Path) -> None:
    rows = "2023-11-16 18:15:50,1,5\n2023-11-16 18:15:46.5,2,5\n2023-11-16 18:15:50,3,5\n"
    found = read(file_of(tmp_path, AZURE + rows))
    assert found.trace.input_tokens.tolist() == [2, 1, 3]
    assert found.trace.arrival.tolist() == [0, 3.5, 3.5]
    assert found.counts.reordered == 1


def test_columns_may_be_in_any_order_packed_with_bom_and_crlf(tmp_path: Path) -> None:
    text = "GeneratedTokens,TIMESTAMP,ContextTokens\r\n7,2023-11-16 18:15:50,9\r\n"
    found = read(file_of(tmp_path, gzip.compress(b"\xef\xbb\xbf" + text.encode()), "a.csv.gz"))
    assert (found.trace.input_tokens[0], found.trace.output_tokens[0]) == (9, 7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("TIMESTAMP,ContextTokens\n2023-11-16 18:15:50,9\n", "'GeneratedTokens' is missing"),
        (AZURE + "2023-11-16 18:15:50,-9,1\n", ":2: ContextTokens '-9'"),
        (AZURE + "2023-11-16 18:15:50,1.5,1\n", ":2: ContextTokens '1.5'"),
        (AZURE + '2023-11-16 18:15:50,"1,200",1\n', "plain digits"),
        (AZURE + "2023-11-16 18:15:50,1,200,1\n", ":2: 4 fields where the header has 3"),
        (AZURE + "2023-11-16 18:15:50,,1\n", ":2: ContextTokens ''"),
        (AZURE + "16.11.2023 18:15,1,1\n", ":2: TIMESTAMP"),
        (AZURE + "2023-13-16 18:15:50,1,1\n", "month"),
        (AZURE + "2023-11-16 18:15:50,1,1\n2023-11-16 18:15:50Z,1,1\n", ":3: .* time zone"),
        (AZURE + '2023-11-16 18:15:50,1,"1\n', "not CSV"),
        (AZURE + "2023-11-16 18:15:50,9999999999,1\n", ":2: 9999999999 input"),
        (AZURE, "no usable requests"),
        (AZURE.replace("\n", ",TIMESTAMP\n"), "occurs twice"),
        (b"\xff\xfea", "UTF-16"),
        (b"\x1f\x8bbroken", "cannot be read to its end"),
        ("", "empty"),
        ("a,b\n1,2\n", "no known trace format"),
        (BURST + "5,ChatGPT,10,0,10,API log\n", "1 failed"),
        (BURST + "nan,ChatGPT,10,1,11,API log\n", ":2: the arrival time is not finite"),
        (BURST + "x,ChatGPT,10,1,11,API log\n", ":2: Timestamp 'x'"),
        (mooncake([1, 2]) + mooncake([1, 2])[:-9], ":2: .*cut off"),
        (mooncake([1, 2]) + "[]\n", ":2: Expected `object`"),
        (mooncake([1, 2]).replace(": 0", ': "0"'), r"\$.timestamp"),
        (mooncake([1, 2]).replace("}", "},"), ":1: "),
        (mooncake([1, -2]), r"\$.hash_ids"),
        (mooncake([1, 2**63]), "63 bits"),
        (mooncake([1]), "1 hash_ids for 1024 input tokens"),
        (mooncake([1, 2]) + mooncake([3, 2]), ":2: hash id 2 follows different"),
        (mooncake([1, 2]) + mooncake([])[:-20] + "}\n", ":2: "),
        ('{"arrival_s":0,"input_tokens":5,"output_tokens":5,"hash_ids":[1]}', "without block_size"),
        (
            '{"arrival_s":0,"input_tokens":5,"output_tokens":5,"session":1' + 19 * "0" + "}",
            ":1: session",
        ),
        ('[{"conversations": [{"from": "human", "value": "hi"}]}]', "tokenizer"),
        ('{"input_lens": [5], "output_lens": [5, 6]}', "output_lens has 2 of 1"),
        ('{"completed": 3,\n "duration": 5}', "--save-detailed"),
        ("input_length,output_length\n5,6\n", "without arrival times"),
    ],
)
def test_bad_input_is_refused_by_place(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(WorkloadError, match=message):
        read(file_of(tmp_path, text))


def test_pipes_folders_and_missing_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, message in (("pipe", "a pipe"), ("", "a directory"), ("none", "No such file")):
        with pytest.raises(WorkloadError, match=message):
            read(tmp_path / path)
    with pytest.raises(WorkloadError, match="a pipe or device"):
        read(Path("/dev/zero"))


def test_unknown_format_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match="mooncake"):
        read(file_of(tmp_path, "x"), "moncake")


def test_failed_and_empty_rows_are_counted_apart(tmp_path: Path) -> None:
    text = BURST + "5,ChatGPT,10,0,10,API log\n6,ChatGPT,10,4,14,API log\n7,GPT-4,0,4,4,API log\n"
    found = read(file_of(tmp_path, text))
    counts = found.counts
    assert (counts.rows, counts.kept, counts.failed, counts.empty) == (3, 1, 1, 1)


def test_bailian_sessions_follow_parents(tmp_path: Path) -> None:
    rows = [(1, -1, 0.5), (2, 1, 3.5), (9, 8, 4.0), (3, 2, 5.0)]
    text = "\n\n".join(
        json.dumps(
            {"chat_id": chat, "parent_chat_id": parent, "timestamp": moment, "input_length": 20}
            | {"output_length": 3, "type": "text", "turn": 1, "hash_ids": [7, 8]}
        )
        for chat, parent, moment in rows
    )
    found = read(file_of(tmp_path, text))
    assert found.trace.session is not None
    assert found.trace.session.tolist() == [1, 1, 9, 1]
    assert found.counts.orphans == 1
    assert found.trace.prefixes is not None
    assert found.trace.prefixes.block_size == 16


def test_vllm_bench_failures_are_set_aside_and_times_kept(tmp_path: Path) -> None:
    result = {"input_lens": [5, 6, 7], "output_lens": [1, 0, 2], "start_times": [100.5, 101, 102.5]}
    found = read(file_of(tmp_path, json.dumps(result | {"errors": ["", "boom", ""]}, indent=1)))
    assert found.trace.arrival.tolist() == [0, 2]
    assert (found.counts.kept, found.counts.failed) == (2, 1)


def test_lengths_without_times(tmp_path: Path) -> None:
    found = read_lengths(file_of(tmp_path, '[{"input_length": 5, "output_length": 6}]'))
    assert (found.format, found.inputs.tolist(), found.outputs.tolist()) == ("sharegpt", [5], [6])


def test_real_files(data: Path) -> None:
    rows = {
        "azure_llm_2023_conv.csv": ("azure", 19366),
        "mooncake_fast25_conversation.jsonl": ("mooncake", 12031),
        "llmservingsim_RTXPRO6000_Llama-3.1-8B.workload.jsonl": ("llmservingsim", 300),
        "len_sharegpt8k_llama2.csv": ("prefill-lengths", 30731),
        "len_psap_sharegpt-vicuna.csv": ("lengths", 81494),
    }
    for name, expected in rows.items():
        found = read_either(data / "traces" / name)
        assert (found.format, found.counts.rows) == expected


def test_damaged_parquet_is_refused(tmp_path: Path) -> None:
    path = file_of(tmp_path, b"PAR1 nothing PAR1", "x.parquet")
    assert sniff(path) == "parquet"
    with pytest.raises(WorkloadError, match="not readable as Parquet"):
        read(path)


def test_prefix_rows_follow_their_request_when_sorted(tmp_path: Path) -> None:
    text = mooncake([1, 2, 3], 1300, 2000) + mooncake([1, 9], 1000, 1000)
    prefixes = read(file_of(tmp_path, text)).trace.prefixes
    assert prefixes is not None
    assert prefixes.hashes.tolist() == [1, 9, 1, 2, 3]
    assert np.diff(prefixes.offsets).tolist() == [2, 3]


def test_a_csv_with_the_names_of_a_json_format_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("arrival_s,input_tokens,output_tokens\n0,10,10\n")
    with pytest.raises(WorkloadError, match="JSON lines, not CSV"):
        read(path)


def test_the_log_of_llmservingsim_is_a_trace(tmp_path: Path) -> None:
    rows = [
        {"request_id": f"bench-{i}", "input_toks": 10 + i, "output_toks": 5, "queued_ts": moment}
        for i, moment in enumerate((479748.25, 479748.75))
    ]
    found = read(file_of(tmp_path, "".join(json.dumps(row) + "\n" for row in rows)))
    assert found.format == "llmservingsim-log"
    assert found.trace.arrival.tolist() == [0, 0.5]
    assert found.trace.input_tokens.tolist() == [10, 11]


def test_a_file_that_only_begins_like_parquet_is_not_echoed(tmp_path: Path) -> None:
    path = file_of(tmp_path, b"PAR1\x00\x1b[31m" + bytes(range(256)) * 8, "x.parquet")
    with pytest.raises(WorkloadError, match="not readable as Parquet") as caught:
        read(path)
    told = str(caught.value).split("as Parquet: ")[1]
    assert len(told) <= 60
    assert told.isprintable()
