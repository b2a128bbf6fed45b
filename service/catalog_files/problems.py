"""What is wrong with data files, with its place."""

from typing import NamedTuple

LISTED_PROBLEMS = 50


class Problem(NamedTuple):
    """What is wrong, in which row of which file."""

    file: str
    row: str
    why: str

    def __str__(self) -> str:
        return f"{self.file}, {self.row}: {self.why}"


class CatalogError(Exception):
    """The catalog's files are not sound; `problems` has all of it, the message the first few"""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        listed = [f"  {problem}" for problem in problems[:LISTED_PROBLEMS]]
        if len(problems) > LISTED_PROBLEMS:
            listed.append(f"  and {len(problems) - LISTED_PROBLEMS} more")
        super().__init__("\n".join([f"{len(problems)} problem(s) in the catalog:", *listed]))
        self.problems = problems
