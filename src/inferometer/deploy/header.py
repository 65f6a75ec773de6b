"""The head of every file: where it comes from, and what was taken for granted."""

from importlib.metadata import version

from inferometer.deploy.rollout import Rollout

MARK = "Written by inferometer"


def assumptions(rollout: Rollout) -> tuple[str, ...]:
    """Return what the files rest on beyond the plan, and what of the plan is a prediction."""
    load, chip = rollout.load, rollout.deployment.accelerator.key
    made = f", converted to {rollout.converted} as they are loaded" if rollout.converted else ""
    nodes = rollout.place.node_selector
    price = "unpriced" if rollout.rent is None else f"{rollout.rent * 3600:.4g} USD/h each"
    flight = f"{load.in_flight:.3g} requests in flight per replica"
    where = ", ".join(f"{key}={value}" for key, value in nodes.items())
    return (
        f"planned for {load.peak_rate:.4g} requests/s in the busiest minute; predicted: {flight}",
        f"SLO: {rollout.slo}",
        f"weights are those of {rollout.weights}{made}",
        f"at most {rollout.context} tokens a request; the longest planned has {load.longest:.0f}",
        f"{rollout.place.least} to {rollout.most} replicas; {chip} at {price}",
        f"pods land on nodes labelled {where}"
        if where
        else f"every node with such accelerators has {chip}: else state --node-selector",
        f"a replica may take {rollout.place.startup:.0f} s to load",
    )


def lines(rollout: Rollout) -> tuple[str, ...]:
    """Return the head as lines of text, the same for the same input."""
    return (
        f"{MARK} {version('inferometer')} from {rollout.origin}: change that, not this file.",
        f"input: sha256:{rollout.digest}",
        f"deployment: {rollout.deployment} of {rollout.deployment.model.key}",
        "assumes:",
        *(f"  * {text}" for text in assumptions(rollout)),
    )


def commented(rollout: Rollout, body: str) -> str:
    """Return a YAML or shell file with its head; a line that names the interpreter stays first."""
    head = "".join(f"# {line}\n" for line in lines(rollout))
    if body.startswith("#!"):
        first, rest = body.split("\n", 1)
        return f"{first}\n{head}{rest}"
    return head + body
