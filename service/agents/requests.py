"""From the plain arguments of a tool to a request of the API, and back from its pointers.

A mistake in the request is told with a pointer into the arguments, so that the caller can mend
them.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import fields, replace

from service.agents.asked import (
    CompareOptions,
    JudgeClaim,
    QuoteRun,
    RunAsked,
    RunOnCluster,
)
from service.api.refusing.errors import Fault, Refused, summary_of

STAGE: Final = "training"
WORK: Final = "/run/stages/0/work"
OF_A_RUN: Final = {
    "/run/name": "/name",
    f"{WORK}/device_hours": "/device_hours",
    f"{WORK}/tokens": "/tokens",
    f"{WORK}/model/total": "/parameters",
    f"{WORK}/model/active": "/active_parameters",
    f"{WORK}/model/id": "/model",
    f"{WORK}/model": "/model",
}
OF_A_CLUSTER: Final = {
    "/cluster/accelerator": "/accelerator",
    "/cluster/devices": "/devices",
    "/cluster/supply/usd_per_device_hour": "/usd_per_device_hour",
    "/cluster/supply": "/term",
}
OF_CHOICES: Final = {
    "/choices/accelerators": "/accelerators",
    "/choices/devices": "/devices",
    "/choices/terms": "/terms",
    "/constraints/deadline_hours": "/deadline_hours",
    "/constraints/budget_usd": "/budget_usd",
}
OF_A_CLAIM: Final = {
    "/amount": "/amount_usd",
    "/what/ids": "/runs",
    **{f"/what{at}": argument for at, argument in (OF_A_RUN | OF_A_CLUSTER).items()},
}
"""Where the members of a request come from, the longer pointers before those that they begin with.
What stands at no other place in both is not listed."""
WHOLE: Final = "request"
BESIDE_A_WHOLE: Final = frozenset({WHOLE})


class Written(NamedTuple):
    """A request as the API takes it, and where its members come from."""

    body: bytes
    places: Mapping[str, str]

    def argument(self, pointer: str) -> str:
        """The pointer into the arguments for one into the request."""
        for begin, argument in self.places.items():
            if pointer == begin or pointer.startswith(f"{begin}/"):
                return argument + pointer[len(begin) :]
        return pointer


def quote_of(asked: QuoteRun) -> Written:
    """The request of a quote. Raises `Refused`."""
    if asked.request is not UNSET:
        return whole(asked, asked.request)
    beside = stated(start=asked.start, title=asked.title)
    request = {"run": run_of(asked), "cluster": cluster_of(asked, term=asked.term), **beside}
    return Written(msgspec.json.encode(request), OF_A_RUN | OF_A_CLUSTER)


def comparison_of(asked: CompareOptions, *, most: int) -> Written:
    """The request of a comparison that lists so many candidates. Raises `Refused`."""
    if asked.request is not UNSET:
        return whole(asked, {"most": most} | asked.request)
    if asked.device_hours is not UNSET and asked.accelerators is UNSET:
        raise _of_which_device()
    choices = stated(accelerators=asked.accelerators, devices=asked.devices, terms=asked.terms)
    constraints = stated(deadline_hours=asked.deadline_hours, budget_usd=asked.budget_usd)
    request = {
        "run": run_of(asked),
        "choices": choices,
        "constraints": constraints,
        "most": most,
        **stated(objective=asked.objective, confidence=asked.confidence),
    }
    return Written(msgspec.json.encode(request), OF_A_RUN | OF_CHOICES)


def _of_which_device() -> Refused:
    detail = "device_hours are hours of one kind of device: say of which"
    fault = Fault(code="missing_member", detail=detail, pointer="/accelerators")
    return Refused("invalid-request", detail, errors=(fault,))


def claim_of(asked: JudgeClaim) -> Written:
    """The request that judges a claim. Raises `Refused`."""
    if asked.request is not UNSET:
        return whole(asked, asked.request)
    if asked.runs is not UNSET:
        what: dict[str, Any] = {"kind": "runs", "ids": asked.runs}
    else:
        what = {"kind": "request", "run": run_of(asked), "cluster": cluster_of(asked)}
    said = stated(
        amount=asked.amount_usd, said_on=asked.said_on, bound=asked.bound, scope=asked.scope
    )
    return Written(msgspec.json.encode({**said, "what": what}), OF_A_CLAIM)


def run_of(asked: RunAsked) -> dict[str, Any]:
    """A run of one stage. Raises `Refused` if its work is said twice."""
    if asked.device_hours is not UNSET:
        twice(asked, "device_hours", "tokens", "model", "parameters", "active_parameters")
        work: dict[str, Any] = {"kind": "metered", "device_hours": asked.device_hours}
    else:
        model = stated(model=model_of(asked) or UNSET)
        work = {"kind": "pretraining", **stated(tokens=asked.tokens), **model}
    return {"name": asked.name, "stages": [{"name": STAGE, "work": work}]}


def model_of(asked: RunAsked) -> dict[str, Any]:
    """The model, by its name or by its parameters. Empty if neither is given."""
    if asked.model is not UNSET:
        twice(asked, "model", "parameters", "active_parameters")
        return {"kind": "preset", "id": asked.model}
    if asked.parameters is not UNSET:
        active = stated(active=asked.active_parameters)
        return {"kind": "parameters", "total": asked.parameters, **active}
    return {}


def cluster_of(asked: RunOnCluster, *, term: str | UnsetType = UNSET) -> dict[str, Any]:
    """The cluster, at a price that is given or at the market's."""
    supply: dict[str, Any] = {"kind": "market", **stated(term=term)}
    if asked.usd_per_device_hour is not UNSET:
        twice(asked, "usd_per_device_hour", "term")
        supply = {"kind": "rate", "usd_per_device_hour": asked.usd_per_device_hour}
    return {**stated(accelerator=asked.accelerator, devices=asked.devices), "supply": supply}


def whole(asked: RunAsked, request: dict[str, Any]) -> Written:
    """A request that is given whole. Raises `Refused` if anything else is given."""
    names = (field.name for field in fields(asked) if field.name not in BESIDE_A_WHOLE)
    said = [name for name in names if name != "name" and getattr(asked, name) is not UNSET]
    if said:
        twice(asked, WHOLE, *said)
    return Written(msgspec.json.encode(request), {"": f"/{WHOLE}"})


def twice(asked: RunAsked, taken: str, *others: str) -> None:
    """Refuse arguments that say again what another says. Raises `Refused`."""
    faults = [
        Fault(code="not_allowed", detail=f"{name} is not given beside {taken}", pointer=f"/{name}")
        for name in others
        if getattr(asked, name, UNSET) is not UNSET
    ]
    if faults:
        raise Refused("invalid-request", summary_of(faults), errors=faults)


def stated(**members: Any) -> dict[str, Any]:
    """The members that have a value."""
    return {name: value for name, value in members.items() if value is not UNSET}


def at_arguments(refused: Refused, places: Written) -> Refused:
    """A refusal with pointers into the arguments."""
    refused.errors = tuple(
        fault if fault.pointer is UNSET else replace(fault, pointer=places.argument(fault.pointer))
        for fault in refused.errors
    )
    return refused
