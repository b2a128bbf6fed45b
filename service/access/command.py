"""`runquote keys`: make a key for a caller, and list the names of those that there are."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from service.access.keys import KeyFileError, add_entry, new_key, read_keys

keys_app = typer.Typer(help="Keys of callers: make one, list them.", no_args_is_help=True)

KeysFile = Annotated[
    Path,
    typer.Option("--file", envvar="RUNQUOTE_KEYS_FILE", help="File of keys; new if not there."),
]

out = Console(markup=False)
err = Console(stderr=True, markup=False)


@keys_app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Who will ask with it; logs have this name.")],
    *,
    file: KeysFile,
    cpu: Annotated[
        float | None,
        typer.Option(
            "--cpu", help="CPU seconds of quotes in a minute, in place of RUNQUOTE_QUOTA_CPU_S."
        ),
    ] = None,
) -> None:
    """Make a key, print it once, and add what recognises it to FILE.

    A service that runs with this file takes the key in the next second.
    """
    try:
        key, entry = new_key(name, made=datetime.now(UTC).date(), cpu_s_per_minute=cpu)
        add_entry(file, entry)
    except (KeyFileError, OSError) as error:
        err.print(str(error), style="red", highlight=False)
        raise typer.Exit(2) from None
    out.print(key, highlight=False, soft_wrap=True)


@keys_app.command("list")
def list_keys(*, file: KeysFile) -> None:
    """List the names of the keys in FILE, with their days and quotas. No key can be shown."""
    try:
        entries = read_keys(file).values()
    except KeyFileError as error:
        err.print(str(error), style="red", highlight=False)
        raise typer.Exit(2) from None
    for entry in sorted(entries, key=lambda entry: entry.name):
        own = entry.cpu_s_per_minute
        quota = "the service's quota" if own is None else f"{own:g} s of CPU in a minute"
        out.print(f"{entry.name:24} {entry.made} {quota}", highlight=False, soft_wrap=True)
