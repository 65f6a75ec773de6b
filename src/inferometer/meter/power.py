"""Energy counters of this machine: NVML for GPUs, RAPL for processors, else none.

NVML's totals come from `nvidia-ml-py` where it and a driver are installed (Volta and newer count
energy); RAPL's from the kernel's powercap files, which often only root may read.
"""

from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

RAPL = Path("/sys/class/powercap")


class Counters(NamedTuple):
    """Energy counted so far.

    Attributes:
        label: "nvml", "rapl", or "declared" where the machine counts nothing.
        microjoules: One count per GPU or processor package.
        ranges: Where each count starts again from 0; 0 if it does not.
    """

    label: str
    microjoules: tuple[int, ...] = ()
    ranges: tuple[int, ...] = ()


def counters(*, rapl: Path = RAPL) -> Counters:
    """Return the energy counters of the GPUs, else of the processors, else none."""
    return _nvml() or _rapl(rapl) or Counters("declared")


def between(first: Counters, last: Counters) -> int | None:
    """Return the microjoules counted from one reading to the next; None if nothing counts."""
    if first.label != last.label or len(first.microjoules) != len(last.microjoules):
        return None
    if not first.microjoules:
        return None
    whole = 0
    for before, after, size in zip(first.microjoules, last.microjoules, last.ranges, strict=True):
        whole += after - before if after >= before or not size else after - before + size
    return whole


def _nvml() -> Counters | None:
    try:
        nvml: Any = import_module("pynvml")
    except ImportError:
        return None
    with suppress(nvml.NVMLError):
        nvml.nvmlInit()
        try:
            handles = map(nvml.nvmlDeviceGetHandleByIndex, range(nvml.nvmlDeviceGetCount()))
            joules = [nvml.nvmlDeviceGetTotalEnergyConsumption(one) * 1000 for one in handles]
        finally:
            nvml.nvmlShutdown()
        return Counters("nvml", tuple(joules), (0,) * len(joules)) if joules else None
    return None


def _rapl(root: Path) -> Counters | None:
    counted: list[tuple[int, int]] = []
    for folder in sorted(root.glob("*-rapl:*")):
        with suppress(OSError, ValueError):
            if (folder / "name").read_text().startswith("package"):
                energy = int((folder / "energy_uj").read_text())
                counted.append((energy, int((folder / "max_energy_range_uj").read_text())))
    if not counted:
        return None
    return Counters("rapl", tuple(one for one, _ in counted), tuple(end for _, end in counted))
