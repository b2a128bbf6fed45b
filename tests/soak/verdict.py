"""What is wrong with a soak, and a table of what was done in it."""

from collections import Counter, defaultdict
from typing import Final

import numpy as np
from rich.table import Table

from tests.processes import MIB
from tests.soak.checks import gained_mib, wrong_answers
from tests.soak.mix import ACTS
from tests.soak.run import EDITIONS, Soaked

MOST_GAINED_MIB: Final = 20.0
"""By a straight line through the second half: what comes and goes with large quotes is as much."""
MAY: Final = {act.name: act.may for act in ACTS}


def unexpected(soak: Soaked) -> list[str]:
    """Answers that nothing in the mix provokes, and requests without an answer."""
    told = Counter((one.what, one.told) for visit in soak.visits for one in visit.done)
    wrong = [
        f"{count} x {what}: {told}" for (what, told), count in told.items() if told not in MAY[what]
    ]
    wrong += [one for visit in soak.visits for one in visit.misshapen]
    return wrong + [lost for visit in soak.visits for lost in visit.lost]


def mistakes(soak: Soaked, *, most_gained_mib: float = MOST_GAINED_MIB) -> list[str]:
    """All that is wrong."""
    wrong = unexpected(soak)
    compared, differing = wrong_answers((visit.answers for visit in soak.visits), soak.sources)
    wrong += differing
    if not compared:
        wrong.append("no answer was compared")
    for name, samples in (("process", soak.memory), ("workers", soak.worker_memory)):
        if gained_mib(samples) > most_gained_mib:
            wrong.append(f"the {name} gained {gained_mib(samples):.0f} MiB")
    if soak.exit_status != 0:
        wrong.append(f"exit status {soak.exit_status}")
    if "Traceback" in soak.log:
        wrong.append("a traceback in the log: " + soak.log[soak.log.index("Traceback") :][:2000])
    editions = {posted.edition for visit in soak.visits for posted in visit.answers}
    if editions != set(EDITIONS):
        wrong.append(f"answers are of {', '.join(sorted(editions))}")
    return wrong


def tables(soak: Soaked) -> list[Table]:
    """What was done and how long it took, and the memory of the processes."""
    done = Table("what", "times", "p50 ms", "p99 ms", "told", title="Traffic", title_justify="left")
    by_act = defaultdict(list)
    for visit in soak.visits:
        for one in visit.done:
            by_act[one.what].append(one)
    for act in ACTS:
        took = np.array([one.took_s * 1000 for one in by_act[act.name]] or [0.0])
        told = Counter(one.told for one in by_act[act.name])
        p50, p99 = np.quantile(took, (0.5, 0.99))
        words = ", ".join(f"{text}: {count}" for text, count in told.most_common())
        done.add_row(act.name, str(len(by_act[act.name])), f"{p50:.1f}", f"{p99:.0f}", words)
    held = Table("MiB", "first", "most", "last", "gained", title="Memory", title_justify="left")
    for name, samples in (("process", soak.memory), ("workers", soak.worker_memory)):
        mib = [one.resident_bytes / MIB for one in samples]
        numbers = (mib[0], max(mib), mib[-1], gained_mib(samples))
        held.add_row(name, *(f"{number:.0f}" for number in numbers))
    return [done, held]
