"""`runquote plan`: the layouts of a pretraining stage as a table, and as a picture."""

from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec
import plotext
import typer
from msgspec import UNSET
from msgspec.structs import replace as replaced
from rich.console import Console
from rich.table import Table

from service.api.decoding import decode_request
from service.core.answer import Bill, PricedBill, Quote, StageAnswer
from service.core.layouts import Candidate
from service.core.parallelism import RECOMPUTE_CODE
from service.core.plan import Plan, plans
from service.core.request import Cluster, QuoteRequest, Run
from service.core.steptime import StepParts
from service.core.units import HOURS_PER_DAY
from service.local import local_quoting, quote_bytes

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
    *("TP", "PP", "DP", "CP", "EP", "micro-batch", "virtual stages", "ZeRO"),
    *("recompute", "GiB", "step s", "tokens/s/device"),
)
MOST_DEVICES: Final = 1e7
TWO_POINTS: Final = 2
RECOMPUTE_NAME: Final = {code: name for name, code in RECOMPUTE_CODE.items()}
GIB: Final = 2.0**30
PLOT_SIZE: Final = (100, 22)

out = Console()


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
    tokens: Annotated[float, typer.Option(help="Tokens of the run.")] = 1e12,
    sequence_length: Annotated[float, typer.Option(help="Tokens of one sequence.")] = 4096.0,
    global_batch_tokens: Annotated[float, typer.Option(help="Tokens of one step.")] = 4_194_304.0,
    precision: Annotated[str, typer.Option(help="bf16, fp8, mxfp8, ...")] = "bf16",
    stage: Annotated[int, typer.Option(min=1, help="Which stage of FILE.")] = 1,
    runners_up: Annotated[int, typer.Option(min=0, max=50, help="How many more layouts.")] = 5,
    plot: Annotated[bool, typer.Option("--plot", help="Draw step time and cost.")] = False,
) -> None:
    """Choose the layout: every legal one is timed, those that fit are ranked."""
    request = (
        _named(
            model,
            accelerator,
            tokens=tokens,
            sequence_length=sequence_length,
            global_batch_tokens=global_batch_tokens,
            precision=precision,
        )
        if file is None
        else decode_request(file.read())
    )
    place = stage - 1
    if place >= len(request.run.stages):
        raise typer.BadParameter(f"the run has {len(request.run.stages)} stages")
    counts = _counts(devices) or (_cluster_of(request, place).devices,)
    found = plans(
        request, local_quoting().catalog, stage=place, devices=counts, runners_up=runners_up
    )
    quotes = {count: _quote_on(request, count, place=place) for count in counts}
    for each in found:
        out.print(_table(each, quotes[each.devices]))
    if plot:
        _plot_steps(found)
        _plot_costs(quotes)


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
        counts = tuple(float(word) for word in devices.split(",") if word.strip())
    except ValueError:
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
    table = Table(title=_title(found, stage, rental), title_justify="left")
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
    if stage.wall_clock_hours is not UNSET:
        words.append(f"{stage.wall_clock_hours.central / HOURS_PER_DAY:,.1f} days")
    if stage.mfu is not UNSET:
        words.append(f"MFU {stage.mfu.central:.1%}")
    if isinstance(rental, PricedBill):
        words.append(f"${Decimal(rental.total.amount):,.0f} rental")
    return ", ".join(words)


def _cells(candidate: Candidate, found: Plan) -> tuple[str, ...]:
    layout, seconds = candidate.layout, candidate.step_time_s
    assert seconds is not None  # what is ranked was timed
    rate = found.tokens_per_step / seconds / found.devices
    return (
        *(f"{float(getattr(layout, member)):g}" for member in DEGREES),
        RECOMPUTE_NAME[float(layout.recompute)],
        f"{float(candidate.memory.total) / GIB:,.1f}",
        f"{seconds:,.3f}",
        f"{rate:,.0f}",
    )


def _plot_steps(found: tuple[Plan, ...]) -> None:
    """The best step of each number of devices, by part."""
    timed = [each for each in found if each.parts is not None]
    if not timed:
        return
    names = [f"{each.devices:,.0f}" for each in timed]
    parts = {
        part: [float(getattr(each.parts, part)) for each in timed] for part in StepParts._fields
    }
    shown = {part: seconds for part, seconds in parts.items() if max(seconds) > 0}
    plotext.clear_figure()
    plotext.plot_size(*PLOT_SIZE)
    plotext.stacked_bar(names, list(shown.values()), labels=list(shown))
    plotext.title("seconds of the best step, by part and devices")
    plotext.show()


def _plot_costs(quotes: dict[float, Quote]) -> None:
    """What the stage costs to rent on each number of devices."""
    priced = {
        devices: float(quoted.bases[0].total.amount)
        for devices, quoted in sorted(quotes.items())
        if isinstance(quoted.bases[0], PricedBill)
    }
    if len(priced) < TWO_POINTS:
        return
    plotext.clear_figure()
    plotext.plot_size(*PLOT_SIZE)
    plotext.plot(list(priced), list(priced.values()), marker="braille")
    plotext.scatter(list(priced), list(priced.values()))
    plotext.xscale("log")
    plotext.title("USD of rental against devices")
    plotext.show()
