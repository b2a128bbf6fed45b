"""The basis `fully_loaded`: the run with what a headline leaves out.

On top of the hardware of the final run (rented or owned, as chosen): experiments and failed runs,
the base model, the people and the data. Each has a sourced default with a wide interval
(`fully_loaded.*`); what is still not in the bill is in `excludes`, with its order of magnitude.
"""

from typing import NamedTuple

from service.core.arrays import Real


class FullyLoaded(NamedTuple):
    """US dollars in parts and in sum."""

    hardware_usd: Real
    experiments_usd: Real
    base_model_usd: Real
    staff_usd: Real
    data_usd: Real
    total_usd: Real


def experiments_usd(*, hardware_usd: Real, experiment_factor: Real) -> Real:
    """Hardware for research, ablations and failed runs.

        hardware_usd * (experiment_factor - 1)

    `experiment_factor` is the compute of the whole development over that of the final run.

    Source: Cottier et al. (arXiv 2405.21015, development cost); Olmo 3, SmolLM3, BLOOM and OPT
    disclose shares that make factors of 5.6, 1.6, 2.7 and about 2.
    """
    return hardware_usd * (experiment_factor - 1.0)


def factor_of_share(*, share_outside_final_run: Real) -> Real:
    """The experiment factor, from the share of compute spent outside the final run.

    1 / (1 - share)
    """
    return 1.0 / (1.0 - share_outside_final_run)


def person_months(*, people: Real, months: Real, time_share: Real) -> Real:
    """Work of the people named, by the share of their time.

    people * months * time_share
    """
    return people * months * time_share


def staff_usd(*, person_months: Real, usd_per_person_year: Real, overhead: Real) -> Real:
    """What the people cost.

        person_months / 12 * usd_per_person_year * overhead

    `usd_per_person_year` is pay with equity; `overhead` adds the employer's other costs.
    """
    return person_months / 12.0 * usd_per_person_year * overhead


def staff_of_share_usd(*, compute_usd: Real, staff_share: Real) -> Real:
    """What the people cost where only their share of development cost is known.

        compute_usd * staff_share / (1 - staff_share)

    `compute_usd` is hardware with experiments.

    Source: Cottier et al. (arXiv 2405.21015): 29 to 49% of the cost of frontier models.
    """
    return compute_usd * staff_share / (1.0 - staff_share)


def data_usd(*, compute_usd: Real, data_ratio: Real) -> Real:
    """Licences, collection, annotation and filtering, as a ratio to hardware with experiments.

    compute_usd * data_ratio
    """
    return compute_usd * data_ratio


def fully_loaded(
    *,
    hardware_usd: Real,
    experiments_usd: Real,
    base_model_usd: Real,
    staff_usd: Real,
    data_usd: Real,
) -> FullyLoaded:
    """The whole bill; the total is the sum of the parts."""
    total = hardware_usd + experiments_usd + base_model_usd + staff_usd + data_usd
    return FullyLoaded(
        hardware_usd=hardware_usd,
        experiments_usd=experiments_usd,
        base_model_usd=base_model_usd,
        staff_usd=staff_usd,
        data_usd=data_usd,
        total_usd=total,
    )
