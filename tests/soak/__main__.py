"""`make soak`: mixed traffic for ten minutes, or for as many seconds as the argument says."""

import sys

from rich.console import Console

from tests.soak.run import soaked
from tests.soak.verdict import mistakes, tables

USUAL_S = 600.0
out = Console(width=120, highlight=False)


def main(words: list[str]) -> int:
    """Soak, print what was seen, and say what is wrong with it."""
    with soaked(float(words[0]) if words else USUAL_S) as soak:
        for table in tables(soak):
            out.print(table)
        for event in soak.events:
            out.print(event)
        wrong = mistakes(soak)
    for one in wrong:
        out.print(f"wrong: {one}", soft_wrap=True)
    out.print(f"{sum(len(visit.done) for visit in soak.visits)} done, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
