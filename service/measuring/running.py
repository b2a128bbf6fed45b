"""A case in a process of its own: its memory is freed when it ends, and its death is an answer."""

import subprocess
import sys
from importlib.util import find_spec
from signal import SIGKILL
from typing import Final

import msgspec

from service.measuring.case import Case, Found
from service.measuring.depths import NotTimed

INSTALL: Final = "pip install 'runquote[measure]'"


def check_installed(case: Case) -> None:
    """Raise `NotTimed` if what times is not installed."""
    needed = ["torch", "transformers", *(["peft"] if case.adapters is not None else [])]
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise NotTimed(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed; "
            f"install runquote with its extra measure: {INSTALL}"
        )


def in_a_process(case: Case) -> Found:
    """What timing a case comes to. Progress goes to standard error."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "service.measuring.worker"],
        input=msgspec.json.encode(case),
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode == -SIGKILL:
        return Found(outcome="oom", why="the system ended the process", device_name="this machine")
    lines = done.stdout.splitlines()
    try:
        return msgspec.json.decode(lines[-1], type=Found)
    except (IndexError, msgspec.DecodeError):
        why = f"the process that times ended with status {done.returncode} and no result"
        return Found(outcome="failed", why=why)
