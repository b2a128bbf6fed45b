"""What costs that bills leave out come to in a quote."""

from service.core.figures.arrays import Real
from service.core.figures.formulas import formula
from service.core.figures.units import BYTES_PER_GIGABYTE, HOURS_PER_YEAR
from service.core.model.architecture import Architecture
from service.core.model.parameters import params_total


@formula("insurance_usd", unit="usd")
def insurance_usd(
    *,
    acquisition_usd: Real,
    share_per_year: Real,
    devices: Real,
    utilisation: Real,
    **device_hours: Real,
) -> Real:
    """Insurance of an owned cluster for the hours of a run, and their share of idle hours.

        years = (device_hours_0 + device_hours_1 + ...) / (devices * utilisation * 8766)
        acquisition_usd * share_per_year * years

    The other keywords number the stages on the cluster.

    Source: definition.
    """
    held_hours = sum(device_hours.values(), start=0.0) / (devices * utilisation)
    return acquisition_usd * share_per_year * held_hours / HOURS_PER_YEAR


@formula("checkpoint_gigabyte_months", unit="gigabyte_month")
def checkpoint_gigabyte_months(
    *,
    architecture: Architecture,
    trained_share: float,
    adapters: bool,
    bytes_per_trained_parameter: Real,
    bytes_per_weight: Real,
    checkpoints: Real,
    months: Real,
) -> Real:
    """Checkpoints of a model, kept for some months.

        trained = parameters * trained_share
        frozen = parameters - trained, or 0 with adapters, whose model is kept elsewhere
        bytes = trained * bytes_per_trained_parameter + frozen * bytes_per_weight
        bytes / 1e9 * checkpoints * months

    Source: definition.
    """
    parameters = params_total(architecture=architecture)
    trained = parameters * trained_share
    frozen = 0.0 if adapters else parameters - trained
    checkpoint_bytes = trained * bytes_per_trained_parameter + frozen * bytes_per_weight
    return checkpoint_bytes / BYTES_PER_GIGABYTE * checkpoints * months


@formula("weights_gigabytes", unit="gigabyte")
def weights_gigabytes(
    *, architecture: Architecture, trained_share: float, adapters: bool, bytes_per_weight: Real
) -> Real:
    """One copy of what a run publishes: the weights of its model, or its adapters.

        parameters * (trained_share with adapters, or else 1) * bytes_per_weight / 1e9

    Source: definition.
    """
    published = trained_share if adapters else 1.0
    return (
        params_total(architecture=architecture) * published * bytes_per_weight / BYTES_PER_GIGABYTE
    )
