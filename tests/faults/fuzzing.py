"""Requests by schemathesis, and mutated ones, while one fault follows the other."""

import contextlib
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from service.editions.shelf import Sources
from tests.contract.document import closed_document
from tests.faults.clients import SERVED, others
from tests.faults.mutants import with_other_bytes, with_other_members
from tests.faults.probing import all_told, told
from tests.faults.rows import AtLeast, AtMost, Expected, Fact, Seen, fault
from tests.faults.troubles import Scene, Troubles, scene, troubles_of
from tests.forms import Answer, answers_in, misshapen
from tests.load import named
from tests.processes import MIB, open_files, resident_bytes
from tests.soak.checks import MOST_COMPARED, Sample, gained_mib, wrong_answers
from tests.soak.mix import JUDGED, QUOTES, Act, Posted, Visit
from tests.wire import post, said, sent

GROUP: Final = "Fuzzing"
REQUESTS: Final = 100_000
CALLERS: Final = 16
MOST_NAMES: Final = 5
END: Final = b"\r\n\r\n"
LOOK_S: Final = 0.2
LASTS_S: Final = 1.0
MOST_SHOWN: Final = 20
MOST_PLAIN: Final = 100
"""Examples of which a service computes hundreds a second, among the others."""
CONFIGURATION: Final = Path(__file__).parents[1] / "contract" / "schemathesis.toml"
OWN_CHECKS: Final = Path(__file__).with_name("fuzzer_checks.py")
CHECKS: Final = (
    "what_fails_says_when_to_come_again", "status_code_conformance", "content_type_conformance",
    "response_headers_conformance", "response_schema_conformance",
)  # fmt: skip
OF_REQUESTS: Final = 500
"""One of so many is an example that schemathesis makes for each path. Its phase `coverage` makes
more than 10,000 cases of a claim alone, and is for the tests of the contract."""
PATIENCE_S: Final = 60
SHORT: Final = 500
"""So few are sent without schemathesis, which takes a minute to make its first ones, and by the
true clock."""


class Amount(Struct):
    """How many requests are sent; `make faults REQUESTS=...` sets it."""

    requests: int = REQUESTS
    before: int = 0
    """How many were sent in earlier pieces. Others are drawn for this one."""


AMOUNT: Final = Amount()


class Recorded(Struct):
    """A request by schemathesis and its answer."""

    method: str
    path: str
    body: str | None
    digest: str
    edition: str | None


class Silent:
    """What stands for schemathesis where it would take too long: it sends nothing."""

    def __init__(self) -> None:
        self.cases = 0
        self.answers: dict[Posted, set[str]] = defaultdict(set)
        """Digests of its answers, by what was posted."""
        self.bodies: list[tuple[str, Any]] = []
        """Where it has posted, and what."""

    @property
    def ended(self) -> bool:
        """Whether it has sent all that it will send."""
        return True

    def look(self) -> None:
        """Read what was recorded since the last look."""

    def findings(self) -> str:
        """What it has found at its end."""
        return "none"

    def close(self) -> None:
        """End it, if it has not ended."""


APART: Final = "^/(quote/(batch|verify)|compare|solve)"
"""Paths whose requests are many quotes, or a filed one: they are fuzzed by themselves."""


class Fuzzer(Silent):
    """Schemathesis, in a process of its own, and what it has sent so far."""

    def __init__(self, at: Scene, directory: Path, *, requests: int) -> None:
        super().__init__()
        self._rest = ""
        self._record = directory / "record"
        self._record.touch()
        self._said = (directory / "said").open("w+b")
        contract = directory / "openapi.json"
        contract.write_text(json.dumps(closed_document(most_names=MOST_NAMES)))
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            f"--config-file={CONFIGURATION}",
            "run",
            str(contract),
            f"--url={at.service.url}",
            "--phases=examples,fuzzing",
            f"--exclude-path-regex={APART}",
            f"--max-examples={max(requests // OF_REQUESTS, 1)}",
            f"--checks={','.join(CHECKS)}",
            f"--request-timeout={PATIENCE_S}",
            f"--seed={AMOUNT.before}",
            "--no-color",
        ]
        own = {"SCHEMATHESIS_HOOKS": str(OWN_CHECKS), "FUZZER_RECORD": str(self._record)}
        self.process = subprocess.Popen(
            command,
            cwd=directory,
            env=os.environ | own,
            stdout=self._said,
            stderr=subprocess.STDOUT,
        )
        self._lines = self._record.open(encoding="utf-8")

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def look(self) -> None:
        *lines, self._rest = (self._rest + self._lines.read()).split("\n")
        for line in lines:
            self._note(msgspec.json.decode(line, type=Recorded))

    def _note(self, one: Recorded) -> None:
        self.cases += 1
        if one.method != "POST" or one.body is None or one.path not in ("/quote", "/claim"):
            return
        if one.edition is not None:
            self.answers[Posted(one.path, one.body.encode(), one.edition)].add(one.digest)
        with contextlib.suppress(ValueError):
            self.bodies.append((one.path, json.loads(one.body)))

    def findings(self) -> str:
        if self.process.returncode == 0:
            return "none"
        self._said.seek(0)
        text = self._said.read().decode(errors="replace")
        print(text[-20_000:], file=sys.stderr)
        return " and ".join(sorted(set(re.findall(r"^- (.+)$", text, re.MULTILINE)))) or "some"

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._lines.close()
        self._said.close()


class Mutating:
    """Callers that send what schemathesis has sent and examples, in whole and mutated."""

    def __init__(self, at: Scene, fuzzer: Silent) -> None:
        self.visits = [Visit(at.service.port, AMOUNT.before + n) for n in range(CALLERS)]
        self.stopping = threading.Event()
        self._fuzzer = fuzzer
        plain = [named(str(number)) for number in range(MOST_PLAIN)]
        self._examples: list[tuple[str, Any]] = [
            *(("/quote", one) for one in (*QUOTES, *plain)),
            *(("/claim", one) for one in JUDGED),
        ]
        self._threads = [
            threading.Thread(target=self._call, args=(one,), daemon=True) for one in self.visits
        ]

    @property
    def sent(self) -> int:
        """How many requests were sent so far."""
        return sum(len(visit.done) + len(visit.lost) for visit in self.visits)

    def start(self) -> None:
        """Begin to call."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End all calls."""
        self.stopping.set()
        for thread in self._threads:
            thread.join()

    def _call(self, visit: Visit) -> None:
        acts = (
            Act("other bytes", 650, (), self._other_bytes),
            Act("other members", 200, (), self._other_members),
            Act("as it was", 50, (), self._as_it_was),
            Act("by id", 100, (), lambda visit: visit.asked_by_id()),
        )
        weights = [act.of_thousand for act in acts]
        while not self.stopping.is_set():
            visit.do(*visit.draw.choices(acts, weights))

    def _any(self, draw: random.Random) -> tuple[str, Any]:
        recorded = self._fuzzer.bodies
        return draw.choice(recorded if recorded and draw.random() < 0.5 else self._examples)

    def _other_bytes(self, visit: Visit) -> str:
        path, body = self._any(visit.draw)
        whole = post(body, path=path.encode())
        request = with_other_bytes(visit.draw, whole)
        with socket.create_connection(("127.0.0.1", visit.port), timeout=60) as one:
            sent(one, request)
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_WR)
            answers = answers_in(said(one))
        head = whole[: whole.index(END) + len(END)]
        asked = f"POST {path}" if request.startswith(head) else None
        for answer in answers:
            visit.misshapen += misshapen(answer, asked=asked)
        if asked is not None and [answer.status for answer in answers] == [200]:
            size = len(whole) - len(head)
            visit.remember(path, request[len(head) : len(head) + size], answers[0].body)
        return told_on_the_wire(answers)

    def _other_members(self, visit: Visit) -> str:
        path, body = self._any(visit.draw)
        _, another = self._any(visit.draw)
        return visit.posted(path, with_other_members(visit.draw, body, [another]))

    def _as_it_was(self, visit: Visit) -> str:
        return visit.posted(*self._any(visit.draw))


def told_on_the_wire(answers: Sequence[Answer]) -> str:
    """The statuses of all answers on a connection, and whether they say when to come again."""
    again = {True: " Retry-After", False: ""}
    return all_told({str(one.status) + again["retry-after" in one.headers] for one in answers})


MAY: Final = re.compile(r"([24]\d\d\b.*|503( [a-z-]+)? Retry-After)?")
"""What may be told: success, a fault of the request, or when to come again. A connection may end
without an answer where what came is no request yet."""


def disallowed(visits: Sequence[Visit]) -> list[str]:
    """What was told that may not be, and requests without an answer."""
    told = Counter(f"{one.what}: {one.told}" for visit in visits for one in visit.done)
    bad = {
        text: count
        for text, count in told.items()
        if not all(MAY.fullmatch(part) for part in text.partition(": ")[2].split(" or "))
        or "OTHER BYTES" in text
    }
    lost = [lost for visit in visits for lost in visit.lost]
    return [f"{count} x {text}" for text, count in bad.items()] + lost


def tracebacks(log: str) -> str:
    """How many tracebacks are in a log."""
    lines = log.splitlines()
    found = [number for number, line in enumerate(lines) if "Traceback" in line]
    for number in found[:MOST_SHOWN]:
        print("\n".join(line[-2000:] for line in lines[number : number + 30]), file=sys.stderr)
    return str(len(found))


class Fuzzing:
    """Everything at once: a service, its faults, its callers."""

    def __init__(self, at: Scene, fuzzer: Silent, *, requests: int, lasts_s: float) -> None:
        self.memory: list[Sample] = []
        self.fuzzer = fuzzer
        self.mutating = Mutating(at, fuzzer)
        self.troubles = Troubles(troubles_of(at), lasts_s=lasts_s, rest_s=lasts_s / 2)
        self._pid = at.service.process.pid
        self._requests = requests

    @property
    def sent(self) -> int:
        """How many requests were sent so far."""
        return self.fuzzer.cases + self.mutating.sent

    def run(self) -> None:
        """Send requests until there were enough, and each fault came."""
        self.troubles.start()
        self.mutating.start()
        try:
            self._wait()
        finally:
            self.mutating.stop()
            self.troubles.stop()

    def _wait(self) -> None:
        while self.troubles.is_alive() and not (
            self.fuzzer.ended and self.sent >= self._requests and self.troubles.all_came
        ):
            time.sleep(LOOK_S)
            self.fuzzer.look()
            self.memory.append(Sample(time.monotonic(), resident_bytes(self._pid)))

    def facts(self) -> dict[str, Fact]:
        """What is known of the traffic."""
        bad = disallowed(self.mutating.visits)
        other_forms = [one for visit in self.mutating.visits for one in visit.misshapen]
        for some in (bad, other_forms):
            print("\n".join(one[:500] for one in some[:MOST_SHOWN]), file=sys.stderr)
        return {
            SENT: float(self.sent),
            "of them by schemathesis": float(self.fuzzer.cases),
            "faults": "all came" if self.troubles.all_came else "not all came",
            "found by schemathesis": self.fuzzer.findings(),
            "other answers than 2xx, 4xx, and 503 with Retry-After": str(len(bad)),
            "answers of another form": str(len(other_forms)),
            "memory gained": max(gained_mib(self.memory) * MIB / 1e6, 0.0),
        }

    def wrong_quotes(self, sources: Sources, *, most: int) -> str:
        """How many answers have other bytes than those of the command line."""
        answers = (self.fuzzer.answers, *(visit.answers for visit in self.mutating.visits))
        compared, wrong = wrong_answers(answers, sources, most=most)
        print("\n".join(one[:500] for one in wrong[:MOST_SHOWN]), file=sys.stderr)
        return str(len(wrong)) if compared else "none was compared"


def fuzzed(*, requests: int, most_compared: int, lasts_s: float) -> Seen:
    """What is seen under so many requests, with faults of this length."""
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory) / "catalog"
        few = requests <= SHORT
        with scene(folder, own_clock=not few) as at:
            pid = at.service.process.pid
            told(at.service.client.post("/quote", json=QUOTES[0]))
            files = open_files(pid)
            fuzzer = Silent() if few else Fuzzer(at, Path(directory), requests=requests)
            with contextlib.closing(fuzzer):
                fuzzing = Fuzzing(at, fuzzer, requests=requests, lasts_s=lasts_s)
                fuzzing.run()
                facts = fuzzing.facts()
            for visit in fuzzing.mutating.visits:
                visit.close()
            facts |= {
                "wrong quotes": fuzzing.wrong_quotes(Sources(folder=folder), most=most_compared),
                "tracebacks": tracebacks(at.service.log()),
                "others": others(at.service),
                "open files gained": float(max(open_files(pid) - files, 0)),
            }
    return Seen(facts)


FUZZED: Final = "requests by schemathesis, and mutated ones, while faults come and go"
SENT: Final = "sent"
FACTS: Final[dict[str, Expected]] = {
    SENT: AtLeast(SHORT, "requests"),
    "of them by schemathesis": AtLeast(0, "requests"),
    "faults": "all came",
    "found by schemathesis": "none",
    "other answers than 2xx, 4xx, and 503 with Retry-After": "0",
    "answers of another form": "0",
    "wrong quotes": "0",
    "tracebacks": "0",
    "others": SERVED,
    "memory gained": AtMost(30.0, "MB"),
    "open files gained": AtMost(20.0, "files"),
}


@fault(GROUP, FUZZED, expects=FACTS)
def all_requests() -> Seen:
    return fuzzed(requests=AMOUNT.requests, most_compared=MOST_COMPARED, lasts_s=LASTS_S)
