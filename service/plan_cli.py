"""`runquote plan`: the layouts of a pretraining stage as a table, and as a picture."""

from decimal import Decimal
from itertools import cycle
from typing import Annotated, Any, Final

import msgspec
import typer
from msgspec import UNSET
from msgspec.structs import replace as replaced
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.api.refusing.decoding import decode_request
from service.api.refusing.errors import Refused
from service.api.refusing.problems import explain
from service.api.refusing.written import number_in
from service.core.answer import Bill, PricedBill, Quote, StageAnswer
from service.core.catalog.errors import QuoteError
from service.core.figures.units import HOURS_PER_DAY
from service.core.request.names import with_known_names
from service.core.request.request import Cluster, QuoteRequest, Run
from service.core.training.parallelism import RECOMPUTE_NAME
from service.core.training.plan import NothingToPlan, Plan, plans
from service.core.training.search import Candidate
from service.core.training.steptime import StepParts
from service.local import local_quoting, quote_bytes
from service.tables.fitting import print_whole
from service.tables.hours import hours_table

DEGREES: Final = (
    "tensor_parallel",
    "pipeline_parallel",
    "data_parallel",
    "context_parallel",
    "expert_parallel",
    "micro_batch",
    "virtual_stages",
    "zero_stage",
)
COLUMNS: Final = (
    *("TP", "PP", "DP", "CP", "EP", "MB", "VP", "ZeRO"),
    *("recompute", "GiB", "step s", "token/s"),
)
MOST_DEVICES: Final = 1e7
NOTHING_FITS: Final = 3
"""Exit status if no layout fits on any number of devices."""
GIB: Final = 2.0**30
BAR_WIDTH: Final = 48
COLOURS: Final = ("blue", "cyan", "green", "yellow", "magenta", "red", "white", "bright_blue")

out = Console(markup=False)
err = Console(stderr=True, markup=False)


def count(text: str | float) -> float:
    """A number as people write it: 2T, 15.6e12, 8k. Raises `typer.BadParameter`."""
    found = number_in(str(text))
    if found is None:
        raise typer.BadParameter(f"{text!r} is not a number, such as 2T, 15.6e12 or 8k")
    return found


def plan(
    file: Annotated[
        typer.FileBinaryRead | None,
        typer.Argument(help="A request as JSON with a pretraining stage; or name a model instead."),
    ] = None,
    *,
    model: Annotated[str, typer.Option(help="A model of the catalog.")] = "",
    accelerator: Annotated[str, typer.Option(help="An accelerator of the catalog.")] = "",
    devices: Annotated[
        str, typer.Option(help="Numbers of devices, with commas between them.")
    ] = "",
    tokens: Annotated[
        float, typer.Option(parser=count, metavar="NUMBER", help="Tokens of the run.")
    ] = 1e12,
    sequence_length: Annotated[
        float, typer.Option(parser=count, metavar="NUMBER", help="Tokens of one sequence.")
    ] = 4096.0,
    global_batch_tokens: Annotated[
        float, typer.Option(parser=count, metavar="NUMBER", help="Tokens of one step.")
    ] = 4_194_304.0,
    precision: Annotated[str, typer.Option(help="bf16, fp8, mxfp8, ...")] = "bf16",
    stage: Annotated[int, typer.Option(min=1, help="Which stage of FILE.")] = 1,
    runners_up: Annotated[int, typer.Option(min=0, max=50, help="How many more layouts.")] = 5,
    plot: Annotated[bool, typer.Option("--plot", help="Draw step time and cost.")] = False,
) -> None:
    """Choose the layout: every legal one is timed, those that fit are ranked."""
    try:
        _plan(
            None if file is None else file.read(),
            model=model,
            accelerator=accelerator,
            devices=devices,
            stage=stage,
            runners_up=runners_up,
            plot=plot,
            tokens=tokens,
            sequence_length=sequence_length,
            global_batch_tokens=global_batch_tokens,
            precision=precision,
        )
    except (NothingToPlan, QuoteError, Refused) as error:
        words = explain(error) if isinstance(error, Refused) else str(error)
        err.print(words, style="red", markup=False, highlight=False)
        raise typer.Exit(2) from error


def _plan(
    body: bytes | None,
    *,
    model: str,
    accelerator: str,
    devices: str,
    stage: int,
    runners_up: int,
    plot: bool,
    **work: Any,
) -> None:
    """Search on every number of devices, price each, and print."""
    request = (
        _named(
            model,
            accelerator,
            **work,
        )
        if body is None
        else decode_request(body)
    )
    catalog = local_quoting().shelf.current.catalog
    request = with_known_names(request, catalog)
    place = stage - 1
    if place >= len(request.run.stages):
        raise typer.BadParameter(f"the run has {len(request.run.stages)} stages")
    counts = _counts(devices) or (_cluster_of(request, place).devices,)
    found = plans(
        request,
        catalog,
        stage=place,
        devices=counts,
        runners_up=runners_up,
    )
    quotes = {count: _quote_on(request, count, place=place) for count in counts}
    if body is None:
        out.print(_taken(work), highlight=False, soft_wrap=True)
    for each in found:
        print_whole(out, _table(each, quotes[each.devices]))
        hours = hours_table(quotes[each.devices].stages)
        if hours is not None:
            print_whole(out, hours)
    if plot:
        _plot_steps(found)
        _plot_costs(quotes)
    if not any(each.search.ranked for each in found):
        raise typer.Exit(NOTHING_FITS)


def _taken(work: dict[str, Any]) -> str:
    """The work that is planned, with the numbers that were given and the defaults."""
    words = ", ".join(
        f"{name} {value:,.0f}" if isinstance(value, float) else f"{name} {value}"
        for name, value in work.items()
    )
    return f"planned for {words}; each has an option of its name"


def _named(model: str, accelerator: str, *, tokens: float, **work: Any) -> QuoteRequest:
    """A request for a model of the catalog, as the options name it."""
    if not model or not accelerator:
        raise typer.BadParameter("give FILE, or --model and --accelerator")
    body = {
        "run": {
            "name": model,
            "stages": [
                {
                    "name": "pre-training",
                    "work": {
                        "kind": "pretraining",
                        "model": {"kind": "preset", "id": model},
                        "tokens": tokens,
                        **work,
                    },
                }
            ],
        },
        "cluster": {"accelerator": accelerator, "devices": 8},
    }
    return decode_request(msgspec.json.encode(body))


def _counts(devices: str) -> tuple[float, ...]:
    try:
        counts = tuple(count(word) for word in devices.split(",") if word.strip())
    except typer.BadParameter:
        raise typer.BadParameter(f"{devices!r} is not numbers with commas between them") from None
    if any(not 1 <= count <= MOST_DEVICES or count % 1 for count in counts):
        raise typer.BadParameter(f"devices are whole numbers from 1 to {MOST_DEVICES:.0f}")
    return counts


def _cluster_of(request: QuoteRequest, place: int) -> Cluster:
    own = request.run.stages[place].cluster
    return request.cluster if own is UNSET else own


def _quote_on(request: QuoteRequest, devices: float, *, place: int) -> Quote:
    """The quote of the one stage on another number of devices."""
    stage = request.run.stages[place]
    alone = msgspec.structs.replace(
        request,
        run=Run(name=request.run.name, stages=(replaced(stage, cluster=UNSET),)),
        cluster=replaced(_cluster_of(request, place), devices=devices),
    )
    return msgspec.json.decode(quote_bytes(msgspec.json.encode(alone)), type=Quote)


def _table(found: Plan, quoted: Quote) -> Table:
    """The layouts for one number of devices, fastest first."""
    search = found.search
    (stage,), rental = quoted.stages, quoted.bases[0]
    table = Table(title=_title(found, stage, rental), title_justify="left", padding=(0, 0))
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for candidate in search.ranked:
        table.add_row(*_cells(candidate, found))
    closest = search.closest
    if closest is not None:
        needed = float(closest.memory.total) / GIB
        table.caption = f"Nothing fits; the closest needs {needed:,.1f} GiB on a device."
    return table


def _title(found: Plan, stage: StageAnswer, rental: Bill) -> str:
    words = [
        f"{found.devices:,.0f} devices",
        f"{found.search.fitting:,} of {found.search.considered:,} layouts fit",
    ]
    if stage.device_hours is not UNSET:
        words.append(f"{stage.device_hours.central:,.6g} device-hours")
    if stage.wall_clock_hours is not UNSET:
        words.append(f"{stage.wall_clock_hours.central / HOURS_PER_DAY:,.1f} days")
    if stage.mfu is not UNSET:
        words.append(f"MFU {stage.mfu.central:.1%}")
    if isinstance(rental, PricedBill):
        words.append(f"${Decimal(rental.total.amount):,.0f} rental")
        words.append(f"p50 ${Decimal(rental.budget.p50):,.0f}")
    return ", ".join(words)


def _cells(candidate: Candidate, found: Plan) -> tuple[str, ...]:
    layout, seconds = candidate.layout, candidate.step_time_s
    assert seconds is not None  # ranked layouts were timed
    rate = found.tokens_per_step / seconds / found.devices
    return (
        *(f"{float(getattr(layout, member)):g}" for member in DEGREES),
        RECOMPUTE_NAME[float(layout.recompute)],
        f"{float(candidate.memory.total) / GIB:,.1f}",
        f"{seconds:,.3f}",
        f"{rate:,.0f}",
    )


def _plot_steps(found: tuple[Plan, ...]) -> None:
    """Device-seconds of a step on each number of devices, with a colour for each part."""
    timed = {each.devices: each.parts for each in found if each.parts is not None}
    longest = max((count * float(parts.total) for count, parts in timed.items()), default=0.0)
    bars = {
        count: {
            name: round(BAR_WIDTH * count * float(getattr(parts, name)) / longest)
            for name in StepParts._fields
        }
        for count, parts in timed.items()
    }
    used = [name for name in StepParts._fields if any(cells[name] for cells in bars.values())]
    colours = dict(zip(used, cycle(COLOURS), strict=False))
    out.print("\nDevice-seconds of the best step, by part", style="bold")
    for count, cells in bars.items():
        bar = Text(f"{count:>12,.0f} ")
        for name, colour in colours.items():
            bar.append("█" * cells[name], style=colour)
        out.print(bar.append(f" {count * float(timed[count].total):,.0f}"))
    for name, colour in colours.items():
        out.print(Text("█ ", style=colour).append(name, style="default"), end="  ")
    out.print()


def _plot_costs(quotes: dict[float, Quote]) -> None:
    """The budget of the stage on each number of devices, as bars that start at zero."""
    priced = {
        devices: Decimal(quoted.bases[0].budget.p50)
        for devices, quoted in quotes.items()
        if isinstance(quoted.bases[0], PricedBill)
    }
    out.print("\nUSD of rental (p50), by devices", style="bold")
    for devices, amount in priced.items():
        cells = round(BAR_WIDTH * amount / max(priced.values()))
        out.print(Text(f"{devices:>12,.0f} {'█' * cells} {amount:,.0f}"))
