"""What a soak checks: memory stays flat, and answers are those of the command line."""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec
import numpy as np

from service.editions.shelf import Sources
from service.local import claim_bytes, quote_bytes
from tests.processes import MIB
from tests.soak.mix import Posted

MOST_COMPARED: Final = 1500
"""Different answers that are computed again. In ten minutes there are some thousands."""


class Sample(NamedTuple):
    """Memory of the process at a time."""

    at_s: float
    resident_bytes: int


def gained_mib(samples: Sequence[Sample]) -> float:
    """What a process gained, by a straight line through the second half of the samples."""
    later = samples[len(samples) // 2 :]
    times = np.array([one.at_s for one in later])
    held = np.array([one.resident_bytes for one in later]) / MIB
    slope = np.polyfit(times - times[0], held, 1)[0]
    return float(slope * (times[-1] - times[0]))


def wrong_answers(
    answers: Iterable[Mapping[Posted, set[str]]], sources: Sources, *, most: int = MOST_COMPARED
) -> tuple[int, list[str]]:
    """How many different answers were compared, and those that differ.

    Answers are digests of bytes, by what was posted.
    """
    told: dict[Posted, set[str]] = defaultdict(set)
    for some in answers:
        for posted, digests in some.items():
            told[posted] |= digests
    wrong = [f"several answers to {one}" for one, digests in told.items() if len(digests) > 1]
    chosen = random.Random(0).sample(sorted(told), min(len(told), most))
    wrong += [
        f"another answer to {posted}"
        for posted in chosen
        if told[posted] != {sha256(computed(posted, sources)).hexdigest()}
    ]
    return len(chosen), wrong


def computed(posted: Posted, sources: Sources) -> bytes:
    """The bytes that the command line prints for a body, of this edition."""
    pinned = msgspec.json.decode(posted.body) | {"catalog": posted.edition}
    answer = quote_bytes if posted.path == "/quote" else claim_bytes
    return answer(msgspec.json.encode(pinned), sources=sources)
