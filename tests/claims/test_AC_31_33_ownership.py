"""AC-31 .. AC-33: break-even and cost of ownership, to the figures that were published."""

import pytest

from inferometer.account.bill import rent_per_token
from inferometer.account.breakeven import break_even_time, break_even_utilisation
from inferometer.account.electricity import Supply
from inferometer.account.ownership import (
    HOURS_PER_YEAR,
    Ownership,
    Power,
    useful_rate,
    yearly_cost,
)
from inferometer.units import Unit, parse

KWH = Unit("USD/J")

# Lenovo LP2225 (May 2025): 8 x H100 NVL server against AWS p5.48xlarge.
SERVER, OWN = 833_806.0, 0.87
CLOUD = {"on demand": (98.32, 8_556, 4.69), "1 year": (77.43, 10_891, 5.97),
         "3 years": (53.95, 15_708, 8.61)}  # fmt: skip

GOLDEN = Ownership(
    accelerators=8,
    servers=300_000,
    residual=0.10,
    network=39_000,
    storage=6_000,
    years=4,
    maintenance=0.05,
    software=4_500,
    power=Power(draw=(6_500,), pue=1.54, supply=Supply(energy=parse("0.1437 USD/kWh", KWH))),
    staff=0.25,
    salary=200_000,
)


@pytest.mark.parametrize("commitment", CLOUD)
def test_AC_31_break_even_hours_of_the_lenovo_sheet(commitment: str) -> None:
    price, hours, per_day = CLOUD[commitment]
    found = break_even_time(SERVER, price, OWN)
    assert found == pytest.approx(hours, abs=1)
    assert found is not None
    assert found / (5 * 365) == pytest.approx(per_day, abs=0.005)


def test_AC_31_after_the_price_cut() -> None:
    # The same source at $33/h: 25,951 h, 59 % use over five years.
    found = break_even_time(SERVER, 33, OWN)
    assert found == pytest.approx(25_951, abs=1)
    assert found is not None
    assert found / (5 * HOURS_PER_YEAR) == pytest.approx(0.59, abs=0.005)


def monthly_api(tokens: float, prompt: float, output: float) -> float:
    # Pan and Wang (arXiv 2509.18101): one prompt token to two output tokens; prices per Mtok.
    return tokens / 3 * prompt + 2 * tokens / 3 * output


RIVALS = {"GPT-5": (1.25, 10.0), "Claude Opus 4": (15.0, 75.0), "Claude Sonnet 4": (3.0, 15.0)}
POWER = {"A100": 0.300, "RTX 5090": 0.500}  # kW that the paper's electricity rows imply
HOURS, TARIFF = 176, 0.15


def test_AC_32_kimi_k2_on_16_a100() -> None:
    own = 16 * POWER["A100"] * HOURS * TARIFF
    assert own == pytest.approx(126.72)
    months = [break_even_time(240_000, monthly_api(506.9, *p), own) for p in RIVALS.values()]
    assert months == pytest.approx([69.29, 8.65, 44.04], rel=0.005)


@pytest.mark.parametrize(
    ("capital", "power", "published"),
    [(15_000, "A100", (17.75, 2.27, 11.39)), (2_000, "RTX 5090", (2.26, 0.29, 1.45))],
)
def test_AC_32_smaller_models(capital: float, power: str, published: tuple[float, ...]) -> None:
    # Their volume is not printed: it follows from the GPT-5 column; the other two are the test.
    own = POWER[power] * HOURS * TARIFF
    volume = (capital / published[0] + own) / monthly_api(1, *RIVALS["GPT-5"])
    months = [break_even_time(capital, monthly_api(volume, *p), own) for p in RIVALS.values()]
    # Two printed digits limit the smallest figures.
    assert months == pytest.approx(published, rel=0.005, abs=0.005)


def test_AC_33_golden_total_and_parts() -> None:
    year = yearly_cost(GOLDEN)
    assert year.capital == 78_750
    assert year.maintenance == 15_000
    assert year.software == 36_000
    assert year.electricity == pytest.approx(12_601, abs=1)
    assert year.staff == 50_000
    assert year.total == pytest.approx(192_351, abs=1)
    assert year.electricity / year.total == pytest.approx(0.066, abs=0.0005)


@pytest.mark.parametrize(("use", "dollars"), [(0.2, 13.72), (0.4, 6.86), (0.6, 4.575), (0.8, 3.43)])
def test_AC_33_useful_hour(use: float, dollars: float) -> None:
    rate = useful_rate(yearly_cost(GOLDEN).total, 8, use) * 3600
    assert rate == pytest.approx(dollars, abs=0.005)


@pytest.mark.parametrize(("use", "dollars"), [(0.2, 3.10), (0.6, 1.03)])
def test_AC_33_cost_of_a_million_output_tokens(use: float, dollars: float) -> None:
    # Llama-70B at 4,915 tok/s on four of the eight accelerators.
    rate = useful_rate(yearly_cost(GOLDEN).total, 8, use)
    assert rent_per_token(4 * rate, 4_915) * 1e6 == pytest.approx(dollars, abs=0.006)


@pytest.mark.parametrize(("rent", "use"), [(6.88, 0.399), (3.90, 0.704)])
def test_AC_33_break_even_use(rent: float, use: float) -> None:
    total = yearly_cost(GOLDEN).total
    assert break_even_utilisation(total, 8 * HOURS_PER_YEAR, rent) == pytest.approx(use, abs=5e-4)


def test_AC_33_cheap_rent_is_never_beaten() -> None:
    total = yearly_cost(GOLDEN).total
    assert break_even_utilisation(total, 8 * HOURS_PER_YEAR, 2.35) is None
