import datetime as dt
from pathlib import Path

from inferometer.calibrate.overlay import fit_source, unfitted, write
from inferometer.catalog.efficiency import efficiencies
from inferometer.catalog.uncertainty import Basis, Residual, basis, residuals, spread

SOURCE = fit_source(["lab b", "lab a"], dt.date(2026, 5, 6))


def test_an_overlay_reads_back_as_it_was_written(tmp_path: Path) -> None:
    values = dict(efficiencies())
    wide = Residual(key="tpot.closed.known", low=0.8, high=1.25, rows=40, sources={"": SOURCE})
    rests = Basis(key="fit", families=("x",), accelerators=("h100-sxm",), laboratories=("lab a",),
                  sources={"": SOURCE})  # fmt: skip
    write(tmp_path / "o.toml", values, [wide], rests)
    again = efficiencies(tmp_path / "o.toml")
    assert {k: (v.base, v.prior, dict(v.factors)) for k, v in again.items()} == {
        k: (v.base, v.prior, dict(v.factors)) for k, v in values.items()
    }
    read = residuals(tmp_path / "o.toml")["tpot.closed.known"]
    assert (read.low, read.high, read.rows) == (wide.low, wide.high, wide.rows)
    assert basis(tmp_path / "o.toml").families == ("x",)


def test_the_shipped_fit_states_its_sources_and_priors() -> None:
    for parameter in efficiencies().values():
        assert parameter.sources[""].source.startswith("inferometer calibrate: pooled fit")
        measured = parameter.key.startswith("power_")  # from tables of kernels, before any fit
        wanted = "measured" if measured else "assumed"
        assert parameter.sources["prior"].evidence.value == wanted
        assert parameter.low <= parameter.prior <= parameter.high


def test_priors_have_no_factors() -> None:
    assert not any(parameter.factors for parameter in unfitted(efficiencies()).values())


def test_intervals_fall_back_from_load_to_quantity_to_novelty() -> None:
    known = {
        "tpot.closed.known": Residual(key="", low=0.9, high=1.1, rows=1),
        "tpot.any.known": Residual(key="", low=0.8, high=1.2, rows=1),
        "any.any.known": Residual(key="", low=0.7, high=1.3, rows=1),
    }
    assert spread(known, "tpot", "closed", "known") == (0.9, 1.1)
    assert spread(known, "tpot", "open", "known") == (0.8, 1.2)
    assert spread(known, "power", "open", "known") == (0.7, 1.3)
