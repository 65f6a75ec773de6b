"""`inferometer deploy`: from a plan to the files that run it."""

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from inferometer.cli.options import Format, Many, Question, Stated
from inferometer.cli.result import show_json, show_rows
from inferometer.deploy.rollout import Place
from inferometer.errors import ScenarioError
from inferometer.units import Unit, parse


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where it is to run.

    Attributes:
        name: Name of everything that is made; the model's without it.
        namespace: Kubernetes namespace.
        image: Container image in place of the engine's own.
        weights_from: Repository or path of the weights, in place of the planned checkpoint.
        min_replicas: Fewest replicas; 0 scales to zero.
        max_replicas: Most replicas; the planned number without it.
        startup: Time that a replica may take to load before it is started anew.
        prometheus: Address of Prometheus, for scaling.
        node_selector: Label of the nodes with the accelerator, as KEY=VALUE; repeat for more.
    """

    name: str = ""
    namespace: str = "default"
    image: str = ""
    weights_from: str = ""
    min_replicas: int = 1
    max_replicas: int | None = None
    startup: str = "30 min"
    prometheus: str = "http://prometheus.monitoring.svc:9090"
    node_selector: Annotated[tuple[str, ...], Many] = ()


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What is emitted, and where to.

    Attributes:
        kind: engine, compose, kubernetes, prometheus, grafana, aisimulate, kserve, dynamo or
            inferencepool; repeat for more; the first five without it.
        output_dir: Folder to write to; without it the files are printed.
        dry_run: Whether only to say what would be written.
        diff: Whether only to show what would change in the folder, as a unified diff.
        overwrite: Whether files that are there may change.
        format: A table for people, or JSON.
    """

    kind: Annotated[tuple[str, ...], Many] = ()
    output_dir: Path | None = None
    dry_run: bool = False
    diff: bool = False
    overwrite: bool = False
    format: Format = "table"


def deploy(
    file: Path,
    /,
    *,
    question: Question | None = None,
    deployment: Stated | None = None,
    where: Where | None = None,
    files: Files | None = None,
) -> None:
    """Emit the files that run a plan: engine, Compose, Kubernetes, Prometheus, Grafana and others.

    Args:
        file: JSON of `inferometer plan`, a scenario in TOML, or an AISimulate configuration in
            YAML. A scenario without a deployment is planned first.
        question: What is asked, on top of a scenario.
        deployment: The deployment, on top of a scenario's; of a plan, --gpu takes another option.
        where: Where it is to run.
        files: What is emitted, and where to.
    """
    from inferometer.cli.planned import predicted, read_plan
    from inferometer.deploy.emit import emit
    from inferometer.deploy.rollout import roll_out

    files, chosen = files or Files(), deployment or Stated()
    if (files.dry_run or files.diff) and files.output_dir is None:
        raise ScenarioError("--dry-run and --diff: name the folder with --output-dir")
    place = _place(where or Where())
    content = _content(file)
    if file.suffix.lower() == ".json":
        _refuse_options(question, chosen)
        planned = read_plan(content, str(file), chosen.gpu)
    else:
        planned = predicted(file, question or Question(), chosen)
    if planned.missed:
        sys.stderr.write(f"warning: {planned.deployment} is predicted to miss {planned.missed}\n")
    rollout = roll_out(
        planned.deployment, planned.load, planned.slo, rent=planned.rent, place=place,
        origin=file.name, digest=hashlib.sha256(content).hexdigest(),
    )  # fmt: skip
    emitted, without = emit(rollout, files.kind)
    for reason in without:
        sys.stderr.write(f"note: {reason}\n")
    _deliver(emitted, files)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ScenarioError(f"{file}: cannot be read: {error.strerror}") from error


def _refuse_options(question: Question | None, chosen: Stated) -> None:
    """Refuse options that would lie on top of a finished plan.

    Raises:
        ScenarioError: there are some.
    """
    if question not in (None, Question()) or chosen != Stated(gpu=chosen.gpu):
        raise ScenarioError(
            "a finished plan is deployed as it is: of its options only --gpu chooses another; "
            "give the others to `inferometer plan`, or deploy the scenario itself"
        )


def _place(where: Where) -> Place:
    labels = dict[str, str]()
    for text in where.node_selector:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise ScenarioError(f"--node-selector {text!r}: write it as KEY=VALUE")
        labels[key] = value
    startup = parse(where.startup, Unit("s"))
    if startup <= 0:
        raise ScenarioError(f"--startup {where.startup}: must be positive")
    if where.max_replicas is not None and where.max_replicas < 1:
        raise ScenarioError(f"--max-replicas {where.max_replicas}: at least 1")
    return Place(
        name=where.name,
        namespace=where.namespace,
        image=where.image,
        weights=where.weights_from,
        least=where.min_replicas,
        most=where.max_replicas or 0,
        startup=startup,
        prometheus=where.prometheus,
        node_selector=labels,
    )


def _deliver(emitted: Mapping[str, str], files: Files) -> None:
    from inferometer.deploy.folder import changes, difference, write

    folder = files.output_dir
    if folder is None:
        _print(emitted, files.format)
        return
    if files.diff:
        sys.stdout.write(difference(folder, emitted))
        return
    states = changes(folder, emitted)
    if not files.dry_run:
        write(folder, emitted, overwrite=files.overwrite)
    rows = [{"file": path, "state": state} for path, state in sorted(states.items())]
    if files.format == "json":
        show_json({"folder": str(folder), "written": not files.dry_run, "files": rows})
    else:
        show_rows(f"{'Would write' if files.dry_run else 'Wrote'} to {folder}", rows)


def _print(emitted: Mapping[str, str], shape: Format) -> None:
    if shape == "json":
        show_json({"files": dict(emitted)})
        return
    for path, text in emitted.items():
        sys.stdout.write(f"# ----- {path}\n{text}\n")
