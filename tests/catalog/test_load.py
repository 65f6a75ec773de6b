import subprocess
import sys
from pathlib import Path

import pytest

from inferometer.catalog import tables
from inferometer.catalog.engines import Engine
from inferometer.catalog.load import overlaid, read_csv, read_toml
from inferometer.catalog.names import nearest, normalise, resolve
from inferometer.catalog.prices import AcceleratorPrice
from inferometer.catalog.source import Evidence
from inferometer.errors import CatalogError

GOOD = """
[mine]
aliases = ["My Engine"]
source = "release notes"
as_of = 2026-01-31
evidence = "published"
memory_rule = "of-total"
memory_fraction = 0.9
reserve = { value = "2 GB", source = "start-up log", evidence = "measured" }
max_num_seqs = 256
max_batched_tokens = 8192
block_size = 16
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "engines.toml"
    path.write_text(GOOD)
    return path


def test_a_table_becomes_a_record_with_its_sources(file: Path) -> None:
    record = read_toml(file, Engine)["mine"]
    assert (record.key, record.reserve, record.block_size) == ("mine", 2e9, 16)
    assert record.sources[""].source == "release notes"
    assert record.sources["reserve"].source == "start-up log"
    assert record.sources["reserve"].evidence is Evidence.MEASURED
    assert record.sources["reserve"].as_of == record.sources[""].as_of
    assert "block_size" not in record.sources


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("block_size", "blok_size", "mine.blok_size: unknown key; nearest: block_size"),
        ("block_size = 16\n", "", "mine.block_size: missing"),
        ('source = "release notes"\n', "", "mine.source: missing"),
        ("release notes", " ", "mine.source: empty"),
        ("as_of = 2026-01-31\n", "", "mine.as_of: missing"),
        ("2026-01-31", '"last week"', "is not a date"),
        ('"published"', '"rumoured"', "mine.evidence: 'rumoured' is not one of measured"),
        ('"2 GB"', '"2 GB/s"', "'2 GB/s' is in GB/s, but B is wanted"),
        ('"2 GB"', '"-2 GB"', "mine.reserve: '-2 GB' is negative"),
        ('"2 GB"', "2", "mine.reserve: '2' is in 1, but B is wanted"),
        ('"2 GB"', "true", "mine.reserve: a quantity"),
        ("= 256", "= 256.5", "mine.max_num_seqs: 256.5 is not of type int"),
        ("= 256", "= true", "mine.max_num_seqs: True is not of type int"),
        ("= 0.9", "= nan", "mine.memory_fraction: nan is not finite"),
        ("= 0.9", '= "0.9"', "mine.memory_fraction: '0.9' is not of type float"),
        ('["My Engine"]', '"My Engine"', "mine.aliases: a list is wanted"),
        ('["My Engine"]', "[3]", r"mine.aliases\[0\]: 3 is not of type str"),
        ('evidence = "measured"', 'evidense = "measured"', "reserve.evidense: unknown key"),
        ("[mine]", "mine = 3\n[other]", "mine: a table of fields is wanted"),
        ("[mine]", "[mine", "not valid TOML"),
    ],
)
def test_what_does_not_fit_is_named(file: Path, old: str, new: str, says: str) -> None:
    assert old in GOOD
    file.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(CatalogError, match=says) as caught:
        read_toml(file, Engine)
    assert str(file) in str(caught.value)


def test_all_faults_of_a_file_come_together(file: Path) -> None:
    file.write_text(GOOD.replace("block_size", "blok").replace("= 256", "= 'x'") + "\n[bare]\n")
    with pytest.raises(CatalogError) as caught:
        read_toml(file, Engine)
    message = str(caught.value)
    for part in ("mine.blok:", "mine.block_size: missing", "mine.max_num_seqs", "bare.source"):
        assert part in message


def test_a_name_names_one_record(file: Path) -> None:
    file.write_text(GOOD + GOOD.replace("[mine]", "[yours]"))
    with pytest.raises(CatalogError, match="'My Engine' already names mine"):
        read_toml(file, Engine)


def test_an_overlay_changes_what_it_gives_and_says_where_from(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[engines.vllm]\nsource='our tuning'\nas_of=2026-05-05\nmax_num_seqs=64\n")
    before, after = tables.engines()["vllm"], tables.engines(path)["vllm"]
    assert after.max_num_seqs == 64
    assert after.sources["max_num_seqs"].source == "our tuning"
    assert after.memory_fraction == before.memory_fraction
    assert after.sources[""] == before.sources[""]
    assert tables.engines()["vllm"] is before


def test_an_overlay_adds_complete_records_only(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace("[mine]", "[engines.mine]"))
    assert tables.engine("my engine", path).block_size == 16
    path.write_text("[engines.mine]\nsource='x'\nas_of=2026-05-05\nblock_size=16\n")
    with pytest.raises(CatalogError, match=r"engines: mine\.max_num_seqs: missing"):
        tables.engines(path)


def test_an_overlay_states_its_source(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[engines.vllm]\nmax_num_seqs=64\n")
    with pytest.raises(CatalogError, match=r"vllm\.source: missing"):
        overlaid(tables.engines(), Engine, "engines", path)


def test_an_overlay_with_an_unknown_section_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[acelerators.x]\n")
    with pytest.raises(CatalogError, match="nearest: accelerators"):
        tables.accelerators(path)


def test_a_missing_file_is_a_catalogue_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="cannot be read"):
        read_toml(tmp_path / "none.toml", Engine)


def test_a_ragged_row_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("accelerator,provider\nh100-sxm,x,y\n")
    with pytest.raises(CatalogError, match="line 2: the number of cells"):
        read_csv(path, AcceleratorPrice)


def test_spellings_of_one_name_are_equal() -> None:
    names = ("NVIDIA H100 SXM", "h100_sxm", "H100-SXM", "nvidia/h100 sxm")
    assert len({normalise(name) for name in names}) == 1


def test_version_points_keep_names_apart() -> None:
    assert normalise("qwen2.5-7b") != normalise("qwen2-57b")


def test_an_unknown_name_lists_the_nearest() -> None:
    with pytest.raises(CatalogError, match=r"no accelerator is named 'h1000'; nearest: .*H100"):
        tables.accelerator("h1000")
    assert nearest("h100sxm", ["a100-sxm", "h100-sxm"])[0] == "h100-sxm"


def test_a_name_without_near_ones_lists_all(file: Path) -> None:
    with pytest.raises(CatalogError, match="known: mine"):
        resolve(read_toml(file, Engine), "zzz")


def test_importing_the_catalogue_is_light() -> None:
    code = (
        "import sys; from inferometer import catalog; catalog.accelerator('h100');"
        "assert not {'numpy', 'genai_prices', 'duckdb'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603
