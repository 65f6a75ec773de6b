"""All that the page of total cost tells."""

from dataclasses import dataclass

from inferometer.plan.flip import Flip
from inferometer.plan.horizon import Service, Way
from inferometer.plan.option import Option
from inferometer.plan.provenance import Fact
from inferometer.plan.provision import Provision
from inferometer.plan.tco import WayCost
from inferometer.plan.uncertainty import Verdict


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MoneyAnswer:
    """The answer of `inferometer tco`, ready to be shown.

    Attributes:
        option: The deployment with its outcome.
        service: Load and fleet over the horizon.
        provision: What becomes of the capacity.
        made_from: What the shape of the week was made from.
        ways: Ways of paying.
        costs: What they cost, the cheapest first.
        flips: Where fixed costs overtake alternatives.
        verdict: What the draws say; None without draws.
        notes: What could not be priced, or was derived.
        facts: Catalogue facts behind the numbers.
        scenario: The question as it was resolved, as a scenario file.
        command: Command line that repeats the answer.
        version: Version of Inferometer that made it.
    """

    option: Option
    service: Service
    provision: Provision
    made_from: str
    ways: tuple[Way, ...]
    costs: tuple[WayCost, ...]
    flips: tuple[Flip, ...]
    verdict: Verdict | None
    notes: tuple[str, ...]
    facts: tuple[Fact, ...]
    scenario: str
    command: tuple[str, ...]
    version: str
