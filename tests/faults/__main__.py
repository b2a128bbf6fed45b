"""`make faults`: try every fault, print what was seen, and write docs/faults.md."""

import argparse
import sys
import time

from rich.console import Console

from tests.faults import catalogs, clients, clocks, processes, redis_faults, work  # noqa: F401
from tests.faults.fuzzing import AMOUNT, FUZZED, REQUESTS, SENT
from tests.faults.page import PAGE, page, printed_number, rows_of, with_earlier_pieces
from tests.faults.rows import FAULTS, measured, recovery, tried

out = Console(highlight=False)


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("words", nargs="*", help="try faults in whose group or name one stands")
    parser.add_argument("--requests", type=int, default=REQUESTS, help="how many to fuzz with")
    parser.add_argument(
        "--more", action="store_true", help="add the counts of fuzzing to those of the page"
    )
    return parser.parse_args()


def main(words: list[str], *, requests: int, more: bool) -> int:
    """Try all faults, or those in whose group or name one of the words stands."""
    before = rows_of(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    AMOUNT.requests = requests
    AMOUNT.before = int(printed_number(before.get(FUZZED, []), SENT)) if more else 0
    chosen = [
        one
        for one in FAULTS
        if not words or any(word in f"{one.group}: {one.name}" for word in words)
    ]
    results = {}
    for one in chosen:
        start = time.monotonic()
        seen, differences = tried(one)
        if more and one.name == FUZZED:
            seen = with_earlier_pieces(one, seen, before.get(one.name, []))
        results[one.name] = seen, differences
        verdict = "[red]DIFFERS[/red]" if differences else "[green]as expected[/green]"
        facts = "; ".join([*differences, *measured(one, seen), recovery(seen.recovered_s)])
        took = f"[dim]{time.monotonic() - start:.0f} s[/dim]"
        out.print(f"{verdict} {one.group}: {one.name} {took}\n    {facts}", soft_wrap=True)
    differing = sum(bool(differences) for _, differences in results.values())
    out.print(f"{len(results)} faults, {differing} differ")
    PAGE.write_text(page(results, FAULTS, before=before), encoding="utf-8")
    return 1 if differing or not chosen else 0


if __name__ == "__main__":
    told = arguments()
    sys.exit(main(told.words, requests=told.requests, more=told.more))
