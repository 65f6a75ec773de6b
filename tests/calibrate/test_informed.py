"""What a user's own fit says of itself: what it moved, whose the rest is, how sure it is."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np

from inferometer.calibrate.informed import changes, credited
from inferometer.calibrate.overlay import fit_source, write
from inferometer.catalog.efficiency import Parameter, efficiencies
from inferometer.catalog.uncertainty import (
    OWN,
    Basis,
    Residual,
    basis,
    novelty_of,
    own_basis,
    residuals,
    spread,
)

MINE = fit_source(["mylab"], dt.date(2026, 5, 6))


def moved() -> tuple[dict[str, Parameter], dict[str, Parameter]]:
    before = dict(efficiencies())
    after = {
        key: replace(value, sources={**value.sources, "": MINE}) for key, value in before.items()
    }
    link = after["link"]
    factors = {**link.factors, "link:of mine": 0.9}
    after["link"] = replace(link, factors=factors)
    after["step_overhead"] = replace(after["step_overhead"], base=2 * before["step_overhead"].base)
    return before, after


def test_only_what_moved_is_informed() -> None:
    before, after = moved()
    found = {one.key: one for one in changes(before, after)}
    assert set(found) == {"link", "step_overhead"}
    assert found["link"].factors == ("link:of mine",)
    assert found["link"].before == found["link"].after
    assert found["step_overhead"].after == 2 * found["step_overhead"].before


def test_what_did_not_move_keeps_its_source_and_what_did_says_from_where() -> None:
    before, after = moved()
    found = credited(before, after)
    assert found["kv_bandwidth"].sources == before["kv_bandwidth"].sources
    text = found["link"].sources[""].source
    assert "mylab" in text
    assert before["link"].sources[""].as_of.isoformat() in text
    assert found["link"].sources[""].as_of == dt.date(2026, 5, 6)


def rests(**lists: tuple[str, ...]) -> Basis:
    names = {"families": ("mine",), "architectures": ("llama",), "accelerators": ("h100-sxm",),
             "laboratories": ("mylab",)}  # fmt: skip
    return Basis(key=OWN, **{**names, **lists}, sources={"": MINE})


def test_an_overlay_adds_to_what_the_shipped_fit_rests_on(tmp_path: Path) -> None:
    own = Residual(key="tpot.any.own", low=0.95, high=1.05, rows=40, sources={"": MINE})
    write(tmp_path / "o.toml", efficiencies(), [own], rests())
    assert basis(tmp_path / "o.toml") == basis()
    assert own_basis() is None
    again = own_basis(tmp_path / "o.toml")
    assert again is not None
    assert again.accelerators == ("h100-sxm",)
    shipped, found = basis(), residuals(tmp_path / "o.toml")
    assert novelty_of(shipped, "llama", "h100-sxm", again) == OWN
    assert novelty_of(shipped, "llama", "b200", again) == "known"  # as without the overlay
    assert novelty_of(shipped, "no such family", "b200", again) == "new-model"
    assert spread(found, "tpot", "closed", OWN) == (0.95, 1.05)
    assert spread(found, "tpot", "closed", "known") == spread(
        residuals(), "tpot", "closed", "known"
    )
    assert spread(found, "power", "closed", OWN) == spread(residuals(), "power", "closed", "known")
    assert np.isfinite(spread(found, "never", "seen", OWN)).all()
