"""Measured speeds of a request that no device can have: they are refused before anything is priced.

A speed makes an MFU by the FLOP of its own model at its own sequence length. Above 1 it is more
than the device's dense peak.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from service.core.argument import Argument, Cursor, Unknown
from service.core.catalog.catalog import Catalog
from service.core.catalog.errors import SpeedAbovePeak
from service.core.cluster.hardware import peak_of
from service.core.model.flop import train_flop_per_token_causal
from service.core.model.named import named_model
from service.core.request.names import placed_stages
from service.core.request.request import Cluster, QuoteRequest
from service.core.request.work import Anchor, Finetuning, Pretraining
from service.core.training.formulas import mfu_at_speed
from service.core.training.step_spec import spec_of, spec_of_anchor

SPEED = "tokens_per_s_per_device"


class AnchorSpeed(NamedTuple):
    """The speed of an anchor and the peak of its device, both in tokens per second."""

    measured: float
    peak: float


def anchor_errors(request: QuoteRequest, catalog: Catalog) -> tuple[SpeedAbovePeak, ...]:
    """An error for every anchor whose speed is above the device's peak. All names are known."""
    return tuple(_errors(request, catalog))


def _errors(request: QuoteRequest, catalog: Catalog) -> Iterator[SpeedAbovePeak]:
    for placed in placed_stages(request):
        work = placed.stage.work
        if isinstance(work, Pretraining | Finetuning) and work.anchor:
            argument = Argument(catalog)  # tried, and thrown away
            at = argument.at(work, pointer=f"{placed.pointer}/work", prefix="anchor")
            cluster = argument.at(placed.cluster, pointer=placed.cluster_pointer, prefix="anchor")
            speed = speed_of(at, cluster)
            if speed is not None and speed.measured > speed.peak:
                yield SpeedAbovePeak(
                    tokens_per_s=speed.measured,
                    peak_tokens_per_s=speed.peak,
                    device=catalog.label(placed.cluster.accelerator),
                    pointer=f"{at.pointer}/anchor/{SPEED}",
                )


def speed_of(work: Cursor[Any], cluster: Cursor[Cluster]) -> AnchorSpeed | None:
    """What an anchor measured, and what an MFU of 1 would be. None if model or peak is unknown."""
    anchor: Cursor[Anchor] = work.at("anchor")
    model = named_model(work.at("model"))
    spec = model if isinstance(model, Unknown) else spec_of_anchor(spec_of(work, model), anchor)
    if isinstance(spec, Unknown):
        return None
    peak = peak_of(cluster, spec.precision)
    if isinstance(peak, Unknown):
        return None
    measured = anchor.quantity(SPEED, unit="token/s").central
    trained = spec.trainable.flop_per_token
    mfu = mfu_at_speed.function(
        flop_per_token=trained.central
        if trained is not None
        else train_flop_per_token_causal.function(
            architecture=spec.model.architecture, sequence_length=spec.sequence_length.value
        ),
        tokens_per_s_per_device=measured,
        peak_flop_per_s=peak.flop_per_s.central,
    )
    return AnchorSpeed(measured=measured, peak=measured / float(mfu))
