"""What a scenario plays: the fleet, the policy and the workload behind `simulate`."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.candidates import one
from inferometer.catalog.efficiency import efficiencies
from inferometer.cli import inputs
from inferometer.cli.operating_options import Operating, known, others_of, policy_of, rents
from inferometer.cli.options import deployment_spec
from inferometer.cli.policy import PolicySpec, play_of
from inferometer.cli.progress import progress
from inferometer.cli.scenario import Scenario
from inferometer.deployment import Deployment
from inferometer.errors import ScenarioError
from inferometer.outcome import Outcome
from inferometer.simulate.play import Play
from inferometer.simulate.serving import NOTHING, Serving
from inferometer.simulate.simulation import Simulation, simulate
from inferometer.simulate.stream import Sink, stream
from inferometer.units import UsdPerSecond
from inferometer.workload.shape import shape_of
from inferometer.workload.slo import Slo
from inferometer.workload.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What plays a workload.

    Attributes:
        scenario: The scenario.
        fleet: The deployments, the stated one first.
        prices: Price of an accelerator of each, None where there is none.
        policy: How the fleet is operated.
        play: The same for the simulator.
        serving: How engines serve beyond their settings.
        slo: Targets.
    """

    scenario: Scenario
    fleet: list[Deployment]
    prices: list[UsdPerSecond | None]
    policy: PolicySpec
    play: Play
    serving: Serving
    slo: Slo

    @property
    def catalog(self) -> Path | None:
        """Own catalogue records."""
        return inputs.overlay_of(self.scenario)

    @property
    def steady(self) -> bool:
        """Whether one deployment keeps its replicas throughout."""
        return len(self.fleet) == 1 and not self.policy.scaled


def setting_of(
    scenario: Scenario,
    *,
    operating: Operating | None = None,
    serving: Serving = NOTHING,
    timestamps: bool = False,
) -> Setting:
    """Return what plays the workload of a scenario, options on top of it.

    Raises:
        ScenarioError: an option or a table that is at fault.
        CatalogError: an unknown name.
    """
    operated = operating or Operating()
    spec = deployment_spec(scenario)
    catalog, policy = inputs.overlay_of(scenario), policy_of(scenario, operated)
    built = inputs.deployment_of(inputs.model_of(scenario), spec, catalog)
    fleet = [built, *others_of(operated, scenario)]
    return Setting(
        scenario=scenario,
        fleet=fleet,
        prices=rents(fleet, scenario),
        policy=policy,
        play=play_of(policy, scenario.seed, timestamps=timestamps),
        serving=serving,
        slo=inputs.slo_of(scenario),
    )


def predicted(setting: Setting, trace: Trace) -> Outcome:
    """Return the closed form's answer for the stated deployment.

    Raises:
        InfeasibleError: it does not fit.
    """
    built = setting.fleet[0]
    prediction = inputs.evaluator(setting.slo, setting.catalog)(one(built), shape_of(trace))
    inputs.require_fit(built, prediction)
    return prediction.outcome(0)


def played(
    setting: Setting, workload: Trace | Iterator[Trace], sink: Sink | None = None
) -> Simulation:
    """Return the run of a workload, or of one that comes in parts; its requests go to `sink`."""
    how: dict[str, Any] = {
        "efficiencies": efficiencies(setting.catalog),
        "play": setting.play,
        "serving": setting.serving,
        "prices": known(setting.prices, setting.play.router),
    }
    if not isinstance(workload, Trace):
        with progress(None) as watch:
            return stream(workload, setting.fleet, sink=sink, slo=setting.slo, watch=watch, **how)
    with progress(workload.span) as watch:
        run = simulate(workload, setting.fleet, watch=watch, **how)
    if sink is not None:
        sink(run.records, np.arange(len(run.records)))
    return run


def faster(trace: Trace, speedup: float) -> Trace:
    """Return a trace whose arrivals are compressed by a factor.

    Raises:
        ScenarioError: a factor that is not positive.
    """
    if not 0 < speedup < float("inf"):
        raise ScenarioError(f"--speedup is {speedup}; a number above 0 is wanted")
    return dataclasses.replace(trace, arrival=trace.arrival / speedup)
