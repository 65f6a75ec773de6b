"""The footprint of a task: an agent's calls, or an answer that rests on retrieved passages."""

from collections.abc import Mapping
from dataclasses import dataclass

from inferometer.account.agent import Agent
from inferometer.account.energy import FacilityEnergy
from inferometer.account.footprint import UnitFootprint, whole_footprint
from inferometer.cli import inputs
from inferometer.cli.footprints import Measured, carbon_price_of, measured
from inferometer.cli.scenario import Scenario
from inferometer.cli.service import deployment_or_best, shape_of_demand
from inferometer.plan.agent_calls import agent_calls
from inferometer.plan.retrieval import Retrieval, stages_at, with_passages
from inferometer.workload.shape import Shape


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaskEnergy:
    """A deployment that serves tasks.

    Attributes:
        measured: What it draws and emits.
        units: Footprint of each unit, tasks included, by name.
        notes: What the figures leave out.
    """

    measured: Measured
    units: Mapping[str, UnitFootprint]
    notes: tuple[str, ...]


def request_energy(scenario: Scenario) -> TaskEnergy:
    """Return the footprint of the requests of a scenario's workload.

    Raises:
        InfeasibleError: the deployment does not carry them.
    """
    found = _measured(scenario, _workload(scenario))
    return TaskEnergy(measured=found, units=found.units, notes=())


def agent_energy(scenario: Scenario, agent: Agent) -> TaskEnergy:
    """Return the footprint of an agent's tasks, whose calls arrive as the scenario's requests do.

    Raises:
        InfeasibleError: the deployment does not carry the calls.
    """
    context = inputs.model_of(scenario).max_context
    calls = agent_calls(agent, _workload(scenario), context)
    found = _measured(scenario, calls.shape)
    task = found.units["request"].times(calls.per_task)
    tasks = {"task": task, "successful task": task.times(1 / agent.success)}
    notes = [f"a task is {calls.per_task:.4g} calls on average, each a request; budgets stop none"]
    if calls.cut:
        notes.append(f"prompts of {calls.cut:.0%} of the calls are cut to {context:,} tokens")
    return TaskEnergy(measured=found, units={**found.units, **tasks}, notes=tuple(notes))


def answer_energy(scenario: Scenario, retrieval: Retrieval) -> TaskEnergy:
    """Return the footprint of answers with retrieval to the questions of a scenario's workload.

    Raises:
        InfeasibleError: the deployment does not carry prompts with passages.
    """
    questions = _workload(scenario)
    found = _measured(scenario, with_passages(questions, retrieval))
    stages = stages_at(retrieval, questions)
    drawn = sum(stage.energy or 0.0 for stage in stages)
    pue, grams = inputs.site_of(scenario).pue, None if found.use is None else found.use.intensity
    energy = FacilityEnergy(accelerators=0.0, host=drawn, building=(pue - 1) * drawn)
    searched = whole_footprint(
        energy,
        use=None if grams is None else energy.total * grams,
        embodied=0.0,
        price=carbon_price_of(scenario),
    )
    answer = found.units["request"].plus(searched)
    unmetered = [stage.name for stage in stages if stage.energy is None]
    notes = ["the manufacture of the stages of retrieval is left out"]
    if unmetered:
        notes.append(f"no power is stated for {', '.join(unmetered)}: their energy is left out")
    units = {**found.units, "retrieval for it": searched, "answer with retrieval": answer}
    return TaskEnergy(measured=found, units=units, notes=tuple(notes))


def _workload(scenario: Scenario) -> Shape:
    return shape_of_demand(scenario, inputs.overlay_of(scenario))[0]


def _measured(scenario: Scenario, shape: Shape) -> Measured:
    """Return the footprint of the stated deployment, or of the cheapest one for `shape`."""
    return measured(scenario, deployment_or_best(scenario, inputs.slo_of(scenario), shape), shape)
