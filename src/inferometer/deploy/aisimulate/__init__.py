"""AISimulate's configuration: written from a rollout, read as a scenario."""

from inferometer.deploy.aisimulate.document import aisimulate
from inferometer.deploy.aisimulate.scenario import scenario_of

__all__ = ["aisimulate", "scenario_of"]
