"""AC-37 .. AC-40: cost per token, tenants against the bill, and EcoLogits' worked answer."""

import datetime as dt

import pytest
from bill_cases import DEPLOYMENT, HOUR, PRICE

from inferometer.account.bill import Tariff, bill, rent_per_token
from inferometer.account.ecologits import Answer, EcoLogits, footprint
from inferometer.account.split import nanodollars, split
from inferometer.catalog.load import read_toml, shipped
from inferometer.catalog.prices import accelerator_price
from inferometer.catalog.tables import node
from inferometer.units import Unit, parse

INSTANT = dt.date(2026, 4, 3)  # of the InferenceX snapshot


def test_AC_37_the_same_hardware_at_more_tokens() -> None:
    # Latitude's batching guide: 200 -> 1,500 tok/s. Its "40 % cheaper" contradicts its own rates.
    before, after = rent_per_token(1.0, 200), rent_per_token(1.0, 1_500)
    assert after / before - 1 == pytest.approx(-0.867, abs=5e-4)
    assert not -0.41 < after / before - 1 < -0.39


@pytest.mark.parametrize(
    ("chip", "provider", "per_mtok"),
    [
        ("h100-sxm", "hyperscaler", 0.361),
        ("h100-sxm", "neocloud", 0.469),
        ("b200", "hyperscaler", 0.542),
        ("b200", "neocloud", 0.650),
    ],
)
def test_AC_38_inferencex_constants(chip: str, provider: str, per_mtok: float) -> None:
    row = accelerator_price(chip, at=INSTANT, commitment="owned", provider=provider)
    assert row is not None
    assert rent_per_token(row.price, 1_000) * 1e6 == pytest.approx(per_mtok, rel=0.005)


@pytest.mark.parametrize(("chip", "joules"), [("h100-sxm", 1.73), ("b200", 2.17)])
def test_AC_38_energy_at_a_thousand_tokens_per_second(chip: str, joules: float) -> None:
    power = node(chip).all_in_power
    assert power is not None
    assert power / 1_000 == pytest.approx(joules, rel=0.005)


def test_AC_39_tenants_add_up_to_the_bill() -> None:
    # An hour that is 40 % busy with the work of three tenants.
    found = bill(HOUR, DEPLOYMENT, Tariff(accelerator=PRICE))
    assert found.total is not None
    assert found.busy is not None
    assert found.idle is not None
    total = nanodollars(found.total)
    work = {"search": 3.0e9, "chat": 1.1e9, "agents": 0.7e9}
    whole = split(total, {"busy": found.busy, "unallocated": found.idle})
    usage = split(whole["busy"], work)
    assert sum(usage.values()) + whole["unallocated"] == total
    allocation = split(total, work)
    assert sum(allocation.values()) == total
    assert all(usage[tenant] <= allocation[tenant] for tenant in work)
    assert sum(usage.values()) == pytest.approx(0.4 * total, abs=1)


def test_AC_40_ecologits_dense_70b() -> None:
    method = read_toml(shipped("ecologits.toml"), EcoLogits)["ecologits"]
    answer = Answer(parameters=70, active=70, bits=16, output_tokens=300, batch=64)
    found = footprint(answer, method, pue=1.2, carbon=parse("383.55 g/kWh", Unit("g/J")))
    assert found.accelerators == 4
    assert found.latency == pytest.approx(26.08, rel=0.005)
    assert found.accelerator_energy / 3600 == pytest.approx(0.0965, rel=0.005)
    assert found.host_energy / 3600 == pytest.approx(0.0679, rel=0.005)
    assert found.energy / 3600 == pytest.approx(0.197, rel=0.005)
    assert found.use == pytest.approx(0.0757, rel=0.005)
    assert found.embodied == pytest.approx(0.0151, rel=0.005)
