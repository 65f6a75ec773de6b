"""What a synthetic workload shall be: the `[workload]` table of a TOML file, read strictly."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from inferometer.catalog.schema import build
from inferometer.errors import CatalogError, ScenarioError, WorkloadError
from inferometer.toml_file import read_toml
from inferometer.units import Duration, Fraction, PerSecond
from inferometer.workload.agent_spec import AgentsSpec
from inferometer.workload.effort import Effort
from inferometer.workload.marginal import Marginal

ARRIVALS = ("poisson", "gamma", "weibull")


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthSpec:
    """Where lengths come from: a profile of the catalogue, a file, or two marginals.

    Attributes:
        profile: Name of a length profile of the catalogue.
        file: Trace or lengths file whose pairs are drawn with replacement.
        input: Prompt length, in place of `profile` or `file`.
        output: Output length, likewise.
        correlation: Spearman rank correlation of the two; None takes the profile's, or 0.
        reasoning: Share of every output that is thought, not answer; None takes the profile's
            distribution, or 0.
    """

    profile: str = ""
    file: str = ""
    input: Marginal | None = None
    output: Marginal | None = None
    correlation: float | None = None
    reasoning: Fraction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSpec:
    """Conversations: each turn's prompt carries all that was said before, thoughts apart.

    Attributes:
        turns: Mean turns of a session, geometric.
        think: Mean pause from one turn to the next, exponential; it holds the answer's time.
    """

    turns: float
    think: Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixSpec:
    """A system prompt, put before the sampled prompt of some sessions.

    Attributes:
        tokens: Length of the shared prefix, tokens.
        share: Share of sessions (of agents' tasks; of requests, without either) that begin with it.
        block_size: Tokens per hashed block.
    """

    tokens: int = 0
    share: Fraction = 1.0
    block_size: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadSpec:
    """A synthetic workload.

    Attributes:
        name: For reports.
        rate: Mean request rate; agents' calls slow down with the service.
        duration: How long it lasts; or give `requests`.
        requests: How many requests; or give `duration`.
        arrivals: Renewal process of the starts of sessions or tasks: "poisson", "gamma" or
            "weibull".
        cv: Coefficient of variation of the gaps; 1 for Poisson.
        diurnal: Name of a diurnal profile of the catalogue.
        hourly: Rate of each hour of a day relative to each other, in place of `diurnal`.
        lengths: Where lengths come from.
        sessions: Conversations; None for single requests.
        agents: Tasks of agents in place of sessions; None for none.
        effort: Level of reasoning effort, as factors on outputs and on agents' calls.
        prefix: Shared system prompt and block hashes; None for neither.
        tenants: Share of sessions or tasks by tenant; they add up to 1.
    """

    name: str = "synthetic"
    rate: PerSecond
    duration: Duration | None = None
    requests: int | None = None
    arrivals: str = "poisson"
    cv: float = 1.0
    diurnal: str = ""
    hourly: tuple[float, ...] = ()
    lengths: LengthSpec
    sessions: SessionSpec | None = None
    agents: AgentsSpec | None = None
    effort: Effort = field(default_factory=Effort)
    prefix: PrefixSpec | None = None
    tenants: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        faults = [text for bad, text in _faults(self) if bad]
        if faults:
            raise WorkloadError("\n".join(f"workload.{fault}" for fault in faults))


def _faults(spec: WorkloadSpec) -> list[tuple[bool, str]]:
    poisson, sessions, prefix = spec.arrivals == "poisson", spec.sessions, spec.prefix
    lengths, marginals = spec.lengths, (spec.lengths.input, spec.lengths.output)
    ways = bool(lengths.profile) + bool(lengths.file) + any(marginals)
    known = ", ".join(ARRIVALS)
    return [
        (spec.rate <= 0, "rate: must be positive, such as '2 1/s'"),
        ((spec.duration is None) == (spec.requests is None), "duration: give it, or requests"),
        (spec.duration is not None and spec.duration <= 0, "duration: must be positive"),
        (spec.requests is not None and spec.requests <= 0, "requests: must be positive"),
        (spec.arrivals not in ARRIVALS, f"arrivals: {spec.arrivals!r} is not one of {known}"),
        (poisson and spec.cv != 1, "cv: is 1 for poisson; take gamma or weibull"),
        (not 0.1 <= spec.cv <= 20, f"cv: {spec.cv} is not within 0.1 and 20"),
        (bool(spec.diurnal and spec.hourly), "hourly: give it or diurnal, not both"),
        (len(spec.hourly) not in {0, 24}, "hourly: 24 values are wanted"),
        (bool(spec.hourly) and not _positive(spec.hourly), "hourly: >= 0, one of them > 0"),
        (ways != 1, "lengths: give one of profile, file, or input and output"),
        (any(marginals) and not all(marginals), "lengths: input and output go together"),
        (abs(lengths.correlation or 0) > 1, "lengths.correlation: is not within -1 and 1"),
        (
            bool(lengths.file) and lengths.correlation is not None,
            "lengths.correlation: the pairs of a file keep their own",
        ),
        (not 0 <= (lengths.reasoning or 0) < 1, "lengths.reasoning: is not within 0 and 1"),
        (sessions is not None and spec.agents is not None, "agents: give them or sessions"),
        (
            spec.agents is not None and spec.agents.reuse != 1 and prefix is None,
            "agents.reuse: without block hashes nothing is reused; add [workload.prefix]",
        ),
        (spec.agents is None and spec.effort.calls != 1, "effort.calls: only agents make calls"),
        (spec.effort.success != 0, "effort.success: belongs to `inferometer agent`, not to load"),
        (sessions is not None and sessions.turns < 1, "sessions.turns: is 1 at least"),
        (prefix is not None and not 0 <= prefix.share <= 1, "prefix.share: is not within 0 and 1"),
        (prefix is not None and prefix.tokens < 0, "prefix.tokens: is negative"),
        (prefix is not None and prefix.block_size < 1, "prefix.block_size: is 1 at least"),
        (
            bool(spec.tenants)
            and (abs(sum(spec.tenants.values()) - 1) > 1e-6 or min(spec.tenants.values()) < 0),
            "tenants: shares >= 0 that add up to 1 are wanted",
        ),
    ]


def _positive(values: tuple[float, ...]) -> bool:
    return min(values) >= 0 and max(values) > 0


def spec_of(table: object, where: str) -> WorkloadSpec:
    """Return the spec that a `[workload]` table states.

    Args:
        table: The table as TOML gives it.
        where: File and key, for messages.

    Raises:
        WorkloadError: unknown key (with the nearest), wrong type or unit, or a contradiction.
    """
    try:
        return build(WorkloadSpec, table, where)
    except CatalogError as error:
        raise WorkloadError(str(error)) from error
    except (ScenarioError, WorkloadError) as error:
        raise WorkloadError(f"{where}: {error}") from error


def read_spec(path: Path) -> WorkloadSpec:
    """Return the spec in the `[workload]` table of a TOML file.

    Raises:
        WorkloadError: unreadable, not TOML, no such table, or as `spec_of`.
    """
    document = read_toml(path, WorkloadError)
    if "workload" not in document:
        raise WorkloadError(f"{path}: no [workload] table; see examples/diurnal_chat.toml")
    return spec_of(document["workload"], f"{path}: workload")
