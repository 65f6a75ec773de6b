"""Write the section of docs/accuracy.md that puts aiconfigurator beside this project.

    python bench/aiconfigurator.py ../shared/data/measured/serving.csv
    python docs/rivals.py ../shared/data/measured/serving.csv

The first asks the tool, in an environment of its own; the second judges the same rows with the
shipped efficiencies, the uncalibrated roofline and the nearest measured row, and with `--folds
FILE` (that `docs/accuracy.py` keeps) with the fits that had not seen the row's model family.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from accuracy import Judged, held_out, judged, nearest, roofline, summary

from inferometer.calibrate.files import read
from inferometer.calibrate.finding import finder
from inferometer.calibrate.measurement import Observation
from inferometer.calibrate.observation import observe
from inferometer.catalog.efficiency import efficiencies

PAGE = Path(__file__).parent / "accuracy.md"
START, END = "<!-- aiconfigurator: docs/rivals.py -->", "<!-- end -->"
METRICS = {"tpot_ms_p50": "tpot_ms", "ttft_ms_p50": "ttft_ms"}
"""Our column, and the tool's field."""

TITLES = {
    "aiconfigurator": "aiconfigurator", "fitted": "fitted", "family": "new family",
    "roofline": "uncalibrated roofline", "nearest": "nearest row, other family",
}  # fmt: skip


def main() -> None:
    """Judge the rows that the tool answered, and write the section."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("data", type=Path)
    options.add_argument(
        "--answers", type=Path, default=PAGE.parents[1] / "build/aiconfigurator.json"
    )
    options.add_argument("--folds", type=Path, default=None)
    asked = options.parse_args()
    result = json.loads(asked.answers.read_text(encoding="utf-8"))
    answers = {key: value for key, value in result["answers"].items() if "tpot_ms" in value}
    observations = observe(read(asked.data), finder())[0]
    covered = [one for one in observations if one.row.key in answers]
    found = rival(covered, answers)
    found += judged(covered, "fitted", efficiencies())
    found += judged(covered, "roofline", roofline(efficiencies()))
    found += [one for one in nearest(observations) if one.key in answers]
    if asked.folds is not None:
        found += [one for one in held_out((), asked.folds)
                  if one.split == "family" and one.key in answers]  # fmt: skip
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text.partition(f"\n{START}")[0] + section(found, result), encoding="utf-8")


def rival(rows: Sequence[Observation], answers: Mapping[str, Mapping[str, Any]]) -> list[Judged]:
    """Return the tool's answers as judgements."""
    return [
        Judged("aiconfigurator", "", one.row.key, one.row.cell, ours, one.row.metrics[ours],
               float(answers[one.row.key][theirs]), one.load.kind)
        for one in rows
        for ours, theirs in METRICS.items()
        if ours in one.row.metrics
    ]  # fmt: skip


def section(found: Sequence[Judged], result: Mapping[str, Any]) -> str:
    """Return the section: all rows, then by accelerator and engine of the answers."""
    asked, done = len(result["answers"]), len({one.key for one in found})
    kinds = [name for name in TITLES if any(one.split == name for one in found)]
    lines = [f"\n{START}\n## Beside {result['release'].replace('==', ' ')}\n"]
    unseen = FAMILY if "family" in kinds else "."
    lines.append(TEXT.format(eligible=result["eligible"], asked=asked, done=done,
                             each=result["per_cell"], unseen=unseen))  # fmt: skip
    titles = " | ".join(TITLES[name] for name in kinds)
    lines += [f"| metric | accelerator | rows | {titles} |", "|---" * (3 + len(kinds)) + "|"]
    for metric in METRICS:
        rows = [one for one in found if one.metric == metric]
        groups = {"all": rows}
        for one in rows:
            groups.setdefault(one.cell[2], []).append(one)
        for name, members in sorted(groups.items(), key=lambda item: (item[0] != "all", item[0])):
            count = sum(one.split == "aiconfigurator" for one in members)
            cells = [errors([one for one in members if one.split == kind]) for kind in kinds]
            lines.append(f"| {metric} | {name} | {count} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", reasons(result), END, ""])


def errors(rows: Sequence[Judged]) -> str:
    """Return median, p90 and bias in per cent, over cells."""
    median, most, bias, cells = summary(rows)
    if not cells:
        return "-"
    return f"{100 * median:.0f} / {100 * most:.0f} ({100 * bias:+.0f})"


def reasons(result: Mapping[str, Any]) -> str:
    """Return why the tool had no answer, counted by what comes before the particulars."""
    counted: dict[str, int] = {}
    for answer in result["answers"].values():
        if "reason" in answer:
            text = answer["reason"].split("{")[0].split("'")[0].strip(" :")
            counted[text] = counted.get(text, 0) + 1
    parts = [f"{text} ({count})" for text, count in sorted(counted.items(), key=lambda i: -i[1])]
    return f"Without an answer: {'; '.join(parts)}." if parts else "Every row was answered."


FAMILY = "; *new family* has not seen the family of the row."

TEXT = """
Written by `python bench/aiconfigurator.py DATA` (which installs the tool in an environment of its
own) and `python docs/rivals.py DATA`. Of the measured rows, {eligible:,} are aggregated closed
loops on accelerators and engines that it has tables of; {asked} were drawn, at most {each} of
every cell of source, family and accelerator, by the hash of their keys; it answered {done}. Errors
as above: median / 90th percentile of |ln(predicted / measured)| inside each cell, then the mean
over cells; in brackets the bias.

Read it with care. The rows come from sources that NVIDIA collected, and *fitted* has seen
them{unseen} The tool has dropped the tables of the releases
that most rows were measured with, so it was asked for its current ones, and its estimate is of a
steady batch, without the prompts that a closed loop interleaves unevenly. That is what a user of
today gets, not the best that its method can do.
"""

if __name__ == "__main__":
    main()
