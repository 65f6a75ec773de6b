import csv
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inferometer.catalog import tables
from inferometer.catalog.clock_law import clock_laws
from inferometer.catalog.source import Evidence
from inferometer.errors import CatalogError

TABLES = (
    tables.accelerators,
    tables.nodes,
    tables.formats,
    tables.engines,
    tables.grids,
    tables.facilities,
    tables.lengths,
    tables.diurnal,
    clock_laws,
)
REFUSED = {  # parts too old to serve today's models, or pods priced as a whole
    *("A4000 (16 GB)", "A5000 (24 GB)", "K80 (12 GB)", "P100 (16 GB)", "P4 (8 GB)"),
    *("RTX4000 (8 GB)", "RTX5000 (16 GB)", "Quadro RTX 6000 (24 GB)"),
    *("TPU v2 device", "TPU v2 pod", "TPU v3 device", "TPU v3 pod", "TPU v4 pod"),
}


@pytest.mark.parametrize("read", TABLES)
def test_every_record_has_source_and_date(read: Any) -> None:
    records = read()
    assert records
    for record in records.values():
        for source in record.sources.values():
            assert source.source.strip()
            assert source.as_of.year >= 2018
        assert record.sources[""]


@pytest.mark.parametrize(
    ("name", "bf16", "fp8", "fp4", "bandwidth"),
    [
        ("H100 SXM", 989.4e12, 1978.9e12, None, 3.35e12),
        ("B200", 2.25e15, 4.5e15, 9e15, 8e12),
        ("L40S", 362.05e12, 733e12, None, 864e9),
        ("RTX 4090", 165.2e12, 330.3e12, None, 1008e9),
        ("A100 80GB", 312e12, None, None, 2039e9),
        ("RTX A6000", 154.8e12, None, None, 768e9),
        ("MI300X", 1307.4e12, 2614.9e12, None, 5.3e12),
    ],
)
def test_peaks_are_dense(
    name: str, bf16: float, fp8: float | None, fp4: float | None, bandwidth: float
) -> None:
    chip = tables.accelerator(name)
    assert (chip.peak_bf16, chip.peak_fp8, chip.peak_fp4) == (bf16, fp8, fp4)
    assert chip.memory_bandwidth == bandwidth


def test_a_sparse_rate_is_refused() -> None:
    chip = tables.accelerator("h100-sxm")
    with pytest.raises(CatalogError, match="peak_fp8 is 4 x peak_bf16: a sparse rate"):
        dataclasses.replace(chip, peak_fp8=4 * chip.peak_bf16)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"peak_fp8": 1e12}, "peak_fp8 is below peak_bf16"),
        ({"memory": 0.0}, "memory is not positive"),
        ({"idle_power": 800.0}, "idle_power is not below tdp"),
        ({"link_domain": 0}, "link_domain is below 1"),
        ({"memory_bandwidth": 3.35e15}, "under a millisecond"),
    ],
)
def test_physics_is_checked(change: dict[str, Any], says: str) -> None:
    with pytest.raises(CatalogError, match=says):
        dataclasses.replace(tables.accelerator("h100-sxm"), **change)


def test_memory_is_what_software_sees() -> None:
    assert 79e9 < tables.accelerator("h100").memory < 80 * 2**30
    assert 178e9 < tables.accelerator("b200").memory < 180 * 2**30


def test_every_accelerator_sits_in_a_node() -> None:
    assert {node.accelerator for node in tables.nodes().values()} == set(tables.accelerators())


def test_a_node_is_found_by_any_name_of_its_accelerator() -> None:
    assert tables.node("NVIDIA H100 80GB HBM3").accelerators == 8
    assert tables.node("GB200").accelerators == 4
    assert tables.accelerator("GB200").link_domain == 72


def test_guessed_figures_say_so() -> None:
    for chip in tables.accelerators().values():
        assert chip.sources["idle_power"].evidence is Evidence.ASSUMED


def _names(data: Path) -> Iterator[str]:
    for file in (*data.glob("measured/*.csv"), *data.glob("prices/*.csv")):
        with file.open(encoding="utf-8") as lines:
            yield from {row["gpu"] for row in csv.DictReader(lines) if row.get("gpu")}


def test_every_accelerator_of_the_data_is_known_or_knowingly_refused(data: Path) -> None:
    names = set(_names(data))
    for name in names - REFUSED:
        assert tables.accelerator(name)
    for name in names & REFUSED:
        with pytest.raises(CatalogError):
            tables.accelerator(name)


@pytest.mark.parametrize(
    ("name", "size"),
    [("bf16", 2), ("awq", 0.51953125), ("nvfp4", 0.5625), ("MXFP4", 0.53125), ("Q8_0", 1.0625)],
)
def test_scales_count_as_storage(name: str, size: float) -> None:
    assert tables.number_format(name).bytes_per_element == size


def test_formats_compute_at_a_peak_that_exists() -> None:
    assert {f.compute for f in tables.formats().values()} <= {"bf16", "fp8", "int8", "fp4"}


def test_engines_divide_memory_by_a_known_rule() -> None:
    assert {e.memory_rule for e in tables.engines().values()} == {"of-total", "of-free"}
    assert tables.engine("TensorRT-LLM").memory_rule == "of-free"


@pytest.mark.parametrize(
    ("field", "value"), [("voltage_floor", 0.0), ("bandwidth_knee", 1.0), ("memory_switching", 1.1)]
)
def test_a_clock_law_stays_within_full_clock(field: str, value: float) -> None:
    sound = next(iter(clock_laws().values()))
    changed: dict[str, Any] = {field: value}
    with pytest.raises(CatalogError, match=f"{sound.key}: {field}"):
        dataclasses.replace(sound, **changed)


def test_clock_laws_are_of_architectures_that_exist() -> None:
    known = {chip.architecture for chip in tables.accelerators().values()}
    assert set(clock_laws()) <= known
