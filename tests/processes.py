"""Processes that a service has started, as Linux shows them."""

import contextlib
import os
from pathlib import Path


def below(pid):
    """The processes under this one, with their states."""
    states, parents = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            states[int(stat.parent.name)], parents[int(stat.parent.name)] = state, int(parent)

    def is_below(one):
        return one in parents and (parents[one] == pid or is_below(parents[one]))

    return {one: state for one, state in states.items() if is_below(one)}


def busiest_below(pid):
    """The process under this one that computes. None as long as none has begun."""
    return next((one for one, state in below(pid).items() if state == "R"), None)


def resident_bytes(pid):
    """The memory that a process holds; 0 if it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
