"""Energy counters: read where the machine has them, labelled, whole over a wrap."""

from pathlib import Path

import pytest

from inferometer.meter.power import between, counters


def domain(root: Path, name: str, energy: int, kind: str = "package-0") -> None:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{kind}\n")
    (folder / "energy_uj").write_text(f"{energy}\n")
    (folder / "max_energy_range_uj").write_text("1000\n")


def test_packages_are_summed_and_their_parts_are_not(tmp_path: Path) -> None:
    domain(tmp_path, "intel-rapl:0", 700)
    domain(tmp_path, "intel-rapl:1", 50)
    domain(tmp_path, "intel-rapl:0:0", 600, "core")
    found = counters(rapl=tmp_path)
    assert (found.label, found.microjoules) == ("rapl", (700, 50))


def test_a_counter_that_wrapped_is_whole(tmp_path: Path) -> None:
    domain(tmp_path, "intel-rapl:0", 900)
    first = counters(rapl=tmp_path)
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("100\n")
    assert between(first, counters(rapl=tmp_path)) == 200


def test_without_counters_the_draw_is_declared(tmp_path: Path) -> None:
    nothing = counters(rapl=tmp_path)
    assert nothing.label == "declared"
    assert between(nothing, nothing) is None


def test_a_counter_that_may_not_be_read_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain(tmp_path, "intel-rapl:0", 900)

    def denied(*_: object, **__: object) -> str:
        raise PermissionError("root only")

    monkeypatch.setattr(Path, "read_text", denied)
    assert counters(rapl=tmp_path).label == "declared"
