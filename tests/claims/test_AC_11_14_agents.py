"""AC-11 and AC-14: what agents draw and cost (Kim et al. 2506.04301; Bai et al. 2604.22750)."""

import pytest

from inferometer.account.bill import rent_per_token
from inferometer.account.energy import mean_power

DAY = 86400.0
WATT_HOUR = 3600.0

# Kim et al., fleet power: Wh per query, queries per day, W. The 130.9x and 71.7x they print come
# from an unrounded 0.317 Wh; the printed 0.32 gives 129.8x and 71.1x.
PRINTED = (
    (0.32, 71.4e6, 1.0e6),
    (41.53, 71.4e6, 123.6e6),
    (22.76, 71.4e6, 67.7e6),
    (348.41, 13.7e9, 198.9e9),
    (158.48, 13.7e9, 90.5e9),
)


@pytest.mark.parametrize(("energy", "queries", "watts"), PRINTED)
def test_AC_11_power_of_a_fleet_of_agents(energy: float, queries: float, watts: float) -> None:
    rounding = 0.05e6 / watts  # the smallest figure is printed with two digits
    assert mean_power(energy * WATT_HOUR, queries / DAY) == pytest.approx(
        watts, rel=max(0.005, rounding)
    )


def test_AC_11_ratios_of_the_rounded_figures() -> None:
    assert pytest.approx(129.8, rel=1e-3) == 41.53 / 0.32
    assert pytest.approx(71.1, rel=1e-3) == 22.76 / 0.32


# Bai et al.: tokens and USD per task.
AGENT, CHAT, REASONING = (4.17e6, 1.857), (3390.0, 0.023), (1190.0, 0.016)


def test_AC_14_tokens_grow_more_than_cost() -> None:
    assert AGENT[0] / CHAT[0] == pytest.approx(1230, rel=0.005)
    assert AGENT[1] / CHAT[1] == pytest.approx(80.7, rel=0.005)


@pytest.mark.parametrize(("task", "per_mtok"), [(AGENT, 0.445), (CHAT, 6.78), (REASONING, 13.4)])
def test_AC_14_effective_price(task: tuple[float, float], per_mtok: float) -> None:
    tokens, dollars = task
    assert rent_per_token(dollars, tokens) * 1e6 == pytest.approx(per_mtok, rel=0.005)
