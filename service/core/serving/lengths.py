"""How long prompts and responses are: as given, or what is assumed of them, as figures."""

from typing import Final

import numpy as np
from msgspec import UNSET, Struct, UnsetType

from service.core.argument import Argument
from service.core.figures.arrays import Real
from service.core.figures.formulas import formula
from service.core.figures.ledger import Term
from service.core.request.quantities import MeanTokens
from service.core.request.wire import Interval
from service.core.request.work import Responses
from service.core.serving.length_formulas import Lengths, mean_tokens, sigma_of_interval

# Without a cap, none is in reach.
NO_CAP_TOKENS: Final = 1e9


class Texts(Struct, frozen=True, kw_only=True):
    """Lengths of prompts and responses, as terms."""

    prompt_tokens: Term
    mean_tokens: Term
    sigma: Term
    cap_tokens: Term | None

    @property
    def inputs(self) -> dict[str, Term]:
        """What the formulas take."""
        found = {
            "prompt_tokens": self.prompt_tokens,
            "response_tokens": self.mean_tokens,
            "sigma": self.sigma,
        }
        return found if self.cap_tokens is None else found | {"cap_tokens": self.cap_tokens}


@formula("length_sigma", unit="ratio")
def sigma_between(*, low: Real, high: Real) -> Real:
    """Spread of the logarithm of lengths of which nine in ten lie between two.

    ln(high / low) / 3.29, between 0.05 and 3
    """
    return np.clip(sigma_of_interval(low=low, high=high), 0.05, 3.0)


@formula("mean_tokens_of_interval", unit="token")
def mean_between(*, low: Real, high: Real, sigma: Real, cap_tokens: Real = NO_CAP_TOKENS) -> Real:
    """Mean length of a cut log-normal of which nine in ten lie between two lengths."""
    log_median = (np.log(low) + np.log(high)) / 2.0
    return mean_tokens(lengths=Lengths(log_median, sigma, cap_tokens))


@formula("mean_tokens_after_cap", unit="token")
def mean_after_cap(*, uncut_tokens: Real, sigma: Real, cap_tokens: Real = NO_CAP_TOKENS) -> Real:
    """Mean length after the cut, of lengths whose mean would be `uncut_tokens` without it."""
    log_median = np.log(uncut_tokens) - sigma * sigma / 2.0
    return mean_tokens(lengths=Lengths(log_median, sigma, cap_tokens))


@formula("mean_tokens_below_cap", unit="token")
def kept_below_cap(*, mean_tokens: Real, cap_tokens: Real) -> Real:
    """A mean length that the cap allows: at most 98% of it."""
    return np.minimum(mean_tokens, 0.98 * cap_tokens)


def texts_of(
    argument: Argument,
    prompt_tokens: float | Interval[MeanTokens] | UnsetType,
    responses: Responses,
    *,
    pointer: str,
    prefix: str,
) -> Texts:
    """Lengths of prompts and responses, with what is assumed where the request is silent."""
    prompt = argument.stated_or_assumed(
        prompt_tokens,
        pointer=f"{pointer}/prompt_tokens",
        unit="token",
        assumption="inference.prompt_tokens",
        code="assumed_prompt_length",
    )
    at = f"{pointer}/responses"
    cap = (
        None
        if responses.most_tokens is UNSET
        else argument.ledger.given(responses.most_tokens, pointer=f"{at}/most_tokens", unit="token")
    )
    capped = {} if cap is None else {"cap_tokens": cap}
    ends = _ends(argument, responses.between_tokens, pointer=f"{at}/between_tokens")
    sigma = (
        argument.assume("inference.length_sigma", pointer=f"{at}/between_tokens")
        if ends is None
        else argument.ledger.derive(sigma_between, name=f"{prefix}/length_sigma", inputs=ends)
    )
    return Texts(
        prompt_tokens=prompt,
        mean_tokens=_mean(argument, responses, sigma, capped, ends, pointer=at, prefix=prefix),
        sigma=sigma,
        cap_tokens=cap,
    )


def _ends(
    argument: Argument, between: Interval[MeanTokens] | UnsetType, *, pointer: str
) -> dict[str, Term] | None:
    if between is UNSET:
        return None
    low, high = between.low, between.high
    if low > high:
        argument.warn(
            "interval_reversed",
            f"low {low:g} is above high {high:g}; they were exchanged",
            pointer=pointer,
        )
        low, high = high, low
    given = argument.ledger.given
    return {
        "low": given(low, pointer=f"{pointer}/low", unit="token"),
        "high": given(high, pointer=f"{pointer}/high", unit="token"),
    }


def _mean(
    argument: Argument,
    responses: Responses,
    sigma: Term,
    capped: dict[str, Term],
    ends: dict[str, Term] | None,
    *,
    pointer: str,
    prefix: str,
) -> Term:
    """The mean length: as given, of the two ends, or what is assumed of responses under a cap."""
    at = f"{pointer}/mean_tokens"
    name = f"{prefix}/response_tokens"
    derive = argument.ledger.derive
    if responses.mean_tokens is not UNSET:
        mean = argument.quantity(responses.mean_tokens, pointer=at, unit="token")
        if not capped:
            return mean
        if mean.central > 0.98 * capped["cap_tokens"].central:
            argument.warn(
                "mean_above_cap",
                f"a mean of {mean.central:g} tokens is not below the cap of "
                f"{capped['cap_tokens'].central:g}; 98% of the cap was taken",
                pointer=at,
            )
        return derive(kept_below_cap, name=name, inputs={"mean_tokens": mean} | capped)
    if ends is not None:
        return derive(mean_between, name=name, inputs=ends | {"sigma": sigma} | capped)
    uncut = argument.assume("inference.response_tokens", pointer=at)
    mean = derive(
        mean_after_cap,
        name=name,
        inputs={"uncut_tokens": uncut, "sigma": sigma} | capped,
    )
    argument.warn(
        "assumed_response_length",
        f"the mean response length is not given, and the answer hangs on it; {mean.central:.0f} "
        "tokens were taken",
        pointer=at,
    )
    return mean
