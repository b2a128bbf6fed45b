"""Processes that a service has started, and what they take, as Linux shows it."""

import contextlib
import os
import time
from pathlib import Path
from typing import NamedTuple

MIB = 2**20
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
LOOK_S = 0.1
COMES_S = 60.0
"""How long a test waits for a worker to compute."""
TAKING_S = 0.015
"""More than a worker takes to begin with a task: one tick of the clock, and not two."""


class Process(NamedTuple):
    """A process: its parent, and whether it runs, waits or has ended."""

    parent: int
    state: str


def processes() -> dict[int, Process]:
    """All processes that there are."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            found[int(stat.parent.name)] = Process(int(parent), state)
    return found


def below(pid: int) -> dict[int, Process]:
    """The processes under this one."""
    found = processes()

    def is_below(one: int) -> bool:
        return one in found and (found[one].parent == pid or is_below(found[one].parent))

    return {one: process for one, process in found.items() if is_below(one)}


def busiest_below(pid: int) -> int | None:
    """The worker of a service that computes. None as long as none does.

    Workers are forked by a process of the service that runs as well, while it starts. A worker that
    is killed while it takes a task keeps others from taking any, so that it has to be past that.
    """
    workers = [one for one, (parent, state) in below(pid).items() if state == "R" and parent != pid]
    before = {one: _cpu_so_far(one) for one in workers}
    if workers:
        time.sleep(LOOK_S)
    return next((one for one in workers if _cpu_so_far(one) > before[one] + TAKING_S), None)


def computing_below(pid: int) -> int:
    """The worker of a service that computes, as soon as one does. A second look may find none."""
    deadline = time.monotonic() + COMES_S
    while (busiest := busiest_below(pid)) is None:
        assert time.monotonic() < deadline, "no worker computes"
        time.sleep(0.01)
    return busiest


def _cpu_so_far(pid: int) -> float:
    """CPU time of a process; none of one that has ended."""
    with contextlib.suppress(OSError):
        return cpu_s(pid)
    return 0.0


def resident_bytes(pid: int) -> int:
    """The memory that a process holds; 0 if it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def cpu_s(pid: int) -> float:
    """CPU time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def open_files(pid: int) -> int:
    """How many files and connections a process has open."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def niceness(pid: int) -> int:
    """How far a process stands back from others that want the CPU as well."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[16])


def lives(pid: int) -> bool:
    """Whether a process runs, waits or is stopped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
