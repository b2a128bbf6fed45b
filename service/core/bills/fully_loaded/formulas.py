"""The basis `fully_loaded`: the run with what a headline leaves out.

It adds to the hardware of the final run (rented or owned, as chosen): experiments and failed runs,
the base model, the people and the data. Each has a sourced default with a wide interval
(`fully_loaded.*`). Costs that are still not in the bill are named in `excludes`.
"""

from service.core.figures.arrays import Real, exp, log, maximum, minimum
from service.core.figures.formulas import formula
from service.core.figures.units import MONTHS_PER_YEAR


@formula("base_rate_usd_per_device_hour", unit="usd/device_hour")
def base_rate(*, stated_usd_per_device_hour: Real, paid_over_stated: Real) -> Real:
    """The cost of a device-hour of the base model, if its report assumes a price.

        stated_usd_per_device_hour * paid_over_stated

    Source: definition.
    """
    return stated_usd_per_device_hour * paid_over_stated


@formula("base_cost_usd", unit="usd")
def base_cost(*, stated_usd: Real, paid_over_stated: Real) -> Real:
    """The cost of a base model of which only a sum is published.

        stated_usd * paid_over_stated

    Source: definition.
    """
    return stated_usd * paid_over_stated


@formula("base_in_usd", unit="usd", any_unit=("amount", "usd_per_unit"))
def base_in_usd(*, amount: Real, usd_per_unit: Real) -> Real:
    """A total of an earlier quote in dollars, from the currency in which it was asked.

        amount * usd_per_unit

    Source: definition of a rate of exchange.
    """
    return amount * usd_per_unit


@formula("base_development_over_rental", unit="ratio")
def base_development_over_rental(
    *, experiment_factor: Real, staff_ratio: Real, data_ratio: Real
) -> Real:
    """Experiments, staff and data of a base model, over the rental of its final runs.

        experiment_factor * (1 + staff_ratio + data_ratio) - 1

    The two ratios are over the compute of its development. This is the sum of the lines
    `experiments`, `staff` and `data` of its own quote.

    Source: definition.
    """
    return experiment_factor * (1.0 + staff_ratio + data_ratio) - 1.0


@formula("experiments_on_commitment_usd", unit="usd")
def experiments_on_commitment_usd(*, experiments_usd: Real, unused_usd: Real) -> Real:
    """The part of the experiments that an unused commitment has paid for already, as a credit.

        -min(experiments_usd, unused_usd)

    Source: definition.
    """
    return -minimum(experiments_usd, unused_usd)


@formula("share_beyond_final_run", unit="ratio")
def share_beyond_final_run(*, experiment_factor: Real) -> Real:
    """Hardware for research, ablations and failed runs, over that of the final run.

        experiment_factor - 1

    `experiment_factor` is the compute of the whole development over that of the final run.

    Source: Cottier et al. (arXiv 2405.21015, development cost); Olmo 3, SmolLM3, BLOOM and OPT
    disclose shares that make factors of 5.6, 1.6, 2.7 and about 2.
    """
    return experiment_factor - 1.0


@formula("compute_usd", unit="usd")
def compute_usd(*, hardware_usd: Real, experiment_factor: Real) -> Real:
    """Hardware of the whole development.

        hardware_usd * experiment_factor

    Source: the factor as in Cottier et al. (arXiv 2405.21015, development cost).
    """
    return hardware_usd * experiment_factor


@formula("person_months", unit="person_month")
def person_months(*, people: Real, months: Real, time_share: Real) -> Real:
    """Person-months of people who spend a share of their time.

        people * months * time_share

    Source: definition.
    """
    return people * months * time_share


@formula("usd_per_person_month", unit="usd/person_month")
def usd_per_person_month(*, usd_per_person_year: Real, overhead: Real) -> Real:
    """The cost of a person's month.

        usd_per_person_year / 12 * overhead

    `usd_per_person_year` is pay with equity. `overhead` adds the employer's other costs.

    Source: definition.
    """
    return usd_per_person_year / MONTHS_PER_YEAR * overhead


@formula("staff_over_compute", unit="ratio")
def staff_over_compute(*, staff_share: Real) -> Real:
    """The cost of people over that of compute, from their share of development cost.

        staff_share / (1 - staff_share)

    Source: Cottier et al. (arXiv 2405.21015): 29 to 49% of the cost of frontier models.
    """
    return staff_share / (1.0 - staff_share)


@formula("staff_over_compute_by_size", unit="ratio")
def staff_over_compute_by_size(
    *,
    compute_usd: Real,
    staff_share: Real,
    small_over_frontier: Real,
    frontier_usd: Real,
    small_usd: Real,
) -> Real:
    """The cost of people over that of compute, by the compute of the whole development.

        frontier = staff_share / (1 - staff_share)
        size = min(max(compute_usd, small_usd), frontier_usd)
        steps = log(frontier_usd / size) / log(frontier_usd / small_usd)
        frontier * max(small_over_frontier, 1) ^ steps

    `staff_share` holds from `frontier_usd` on. Up to `small_usd` the ratio is `small_over_frontier`
    times as high, and never lower than that of frontier models. Between the two it is log-linear.
    So it falls with size, or stays.

    Source: Cottier et al. (arXiv 2405.21015) for the frontier; DeepSeek-R1 (Nature 2025), with 194
    people, for the small end.
    """
    size = minimum(maximum(compute_usd, small_usd), frontier_usd)
    steps = log(frontier_usd / size) / log(frontier_usd / small_usd)
    frontier = staff_over_compute.function(staff_share=staff_share)
    return frontier * exp(steps * log(maximum(small_over_frontier, 1.0)))
