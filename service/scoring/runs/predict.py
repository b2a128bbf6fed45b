"""Published runs quoted as if they had not been run: device-hours, or why there are none."""

import msgspec
from msgspec import Struct

from service.core.answer import EngineStamp, PricedBill, Quote
from service.core.catalog.catalog import Catalog, ReferenceRun
from service.core.catalog.errors import NotQuotable
from service.core.draws.memo import Memo
from service.core.quote import quote
from service.core.request.request import QuoteRequest, Rate
from service.scoring.runs import post_training, pretraining

POST_TRAINING = frozenset(("rl", "sft", "generation"))
USD_PER_DEVICE_HOUR = pretraining.USD_PER_DEVICE_HOUR


ERROR = "assumptions/engine.measured_over_predicted."


class Predicted(Struct, frozen=True):
    """Device-hours of a run and their quantiles.

    `errors` are the errors of the engine that the quote counts: `chosen` where the layout is
    searched, `framework` and `device` where those are not known, `run` where losses are not.
    """

    central: float
    p10: float
    p90: float
    errors: frozenset[str] = frozenset()


def request_of(run: ReferenceRun, catalog: Catalog) -> QuoteRequest | str:
    """The request from a run's description, or what the description lacks for it."""
    try:
        if run.kind in POST_TRAINING:
            return post_training.request_of(run, catalog)
        return pretraining.request_of(run, catalog)
    except msgspec.ValidationError as error:
        return f"a figure is outside of what a request takes: {error}"


def predicted(run: ReferenceRun, catalog: Catalog, memo: Memo) -> Predicted | str:
    """Device-hours of a run from its other disclosed facts, or why there are none."""
    request = request_of(run, catalog)
    return request if isinstance(request, str) else predicted_for(request, catalog, memo)


def predicted_for(request: QuoteRequest, catalog: Catalog, memo: Memo) -> Predicted | str:
    """Device-hours that a request takes, or why they are not known."""
    try:
        answer = quoted(request, catalog, memo)
    except NotQuotable as error:
        return str(error)
    bill = next(bill for bill in answer.bases if bill.basis == "rental")
    if not isinstance(bill, PricedBill):
        return "; ".join(
            stage.feasibility.detail or "device-hours are not known"
            for stage in answer.stages
            if not stage.device_hours
        )
    total, interval = bill.total.amount, bill.interval
    hours = (float(usd) / USD_PER_DEVICE_HOUR for usd in (total, interval.p10, interval.p90))
    counted = (name.removeprefix(ERROR) for name in answer.figures if name.startswith(ERROR))
    central, p10, p90 = hours
    return Predicted(central, p10, p90, errors=frozenset(counted))


def quoted(request: QuoteRequest, catalog: Catalog, memo: Memo) -> Quote:
    """The quote of a request at a fixed rate, so that the rental bill counts device-hours."""
    cluster = msgspec.structs.replace(
        request.cluster, supply=Rate(usd_per_device_hour=USD_PER_DEVICE_HOUR)
    )
    return quote(
        msgspec.structs.replace(request, cluster=cluster),
        catalog,
        id="",
        canonical_request=b"{}",
        engine=EngineStamp(version="", digest=""),
        valid_until="",
        memo=memo,
    )
