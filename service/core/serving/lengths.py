"""Lengths of prompts and responses as figures, given or assumed."""

from typing import Final

from msgspec import UNSET, Struct

from service.core.argument import Cursor
from service.core.figures.ledger import Term
from service.core.request.wire import Interval
from service.core.request.work import Generation, Reinforcement, Responses
from service.core.serving.agents import AgentTerms, agent_terms, written_by
from service.core.serving.length_formulas import (
    kept_below_cap,
    mean_after_cap,
    mean_between,
    sigma_between,
)

MOST_OF_CAP: Final = 0.98
"""The longest mean under a cap, as a share of the cap. A mean at the cap is impossible."""


class TokenLengths(Struct, frozen=True, kw_only=True):
    """Lengths of prompts and responses, as terms."""

    prompt_tokens: Term
    mean_tokens: Term
    sigma: Term
    cap_tokens: Term | None
    agent: AgentTerms | None = None

    @property
    def inputs(self) -> dict[str, Term]:
        """The inputs of formulas."""
        found = {
            "prompt_tokens": self.prompt_tokens,
            "response_tokens": self.mean_tokens,
            "sigma": self.sigma,
        }
        if self.agent is not None:
            found |= self.agent.inputs
        return found if self.cap_tokens is None else found | {"cap_tokens": self.cap_tokens}

    @property
    def kept_tokens(self) -> Term:
        """What a mean response adds to its prompt: all that is written, and what an agent reads."""
        return self.mean_tokens if self.agent is None else self.agent.trajectory_tokens


def token_lengths_of(work: Cursor[Generation] | Cursor[Reinforcement]) -> TokenLengths:
    """Lengths of prompts and responses. What the request does not say is assumed."""
    prompt = work.assumed(
        "prompt_tokens",
        unit="token",
        default="inference.prompt_tokens",
        warns="assumed_prompt_length",
    )
    responses: Cursor[Responses] = work.at("responses")
    if work.states("agent"):
        return _of_agent(work, responses, prompt)
    capped = {}
    if responses.states("most_tokens"):
        capped["cap_tokens"] = responses.quantity("most_tokens", unit="token")
    ends = _ends(responses)
    sigma = _sigma(responses, ends)
    return TokenLengths(
        prompt_tokens=prompt,
        mean_tokens=_mean(responses, sigma, capped, ends),
        sigma=sigma,
        cap_tokens=capped.get("cap_tokens"),
    )


def _of_agent(
    work: Cursor[Generation] | Cursor[Reinforcement], responses: Cursor[Responses], prompt: Term
) -> TokenLengths:
    """Lengths of an agent's trajectories. All is counted per token that is written."""
    written, ends = written_by(work), _ends(responses)
    return TokenLengths(
        prompt_tokens=prompt,
        mean_tokens=written.mean_tokens,
        sigma=_sigma(responses, ends),
        cap_tokens=written.cap_tokens,
        agent=agent_terms(work, written, prompt),
    )


def _sigma(responses: Cursor[Responses], ends: dict[str, Term] | None) -> Term:
    """Spread of the logarithm of lengths: from two ends, or assumed."""
    if ends is None:
        return responses.assume("inference.length_sigma", member="between_tokens")
    return responses.derive(sigma_between, **ends)


def _ends(responses: Cursor[Responses]) -> dict[str, Term] | None:
    """The two lengths between which nine in ten responses lie, if they are given."""
    between = responses.said.between_tokens
    if between is UNSET:
        return None
    ends: Cursor[Interval[float]] = responses.at("between_tokens")
    low, high = between.low, between.high
    if low > high:
        ends.warn("interval_reversed", f"low {low:g} is above high {high:g}; they were exchanged")
        low, high = high, low
    given = responses.argument.ledger.given
    return {
        "low": given(low, pointer=ends.pointer_of("low"), unit="token"),
        "high": given(high, pointer=ends.pointer_of("high"), unit="token"),
    }


def _mean(
    responses: Cursor[Responses],
    sigma: Term,
    capped: dict[str, Term],
    ends: dict[str, Term] | None,
) -> Term:
    """The mean length: as given, or from the two ends, or assumed and cut at the cap."""
    if responses.states("mean_tokens"):
        mean = responses.quantity("mean_tokens", unit="token")
        if not capped:
            return mean
        if mean.central > MOST_OF_CAP * capped["cap_tokens"].central:
            responses.warn(
                "mean_above_cap",
                f"a mean of {mean.central:g} tokens is not below the cap of "
                f"{capped['cap_tokens'].central:g}; 98% of the cap was taken",
                member="mean_tokens",
            )
        return responses.derive(kept_below_cap, "response_tokens", mean_tokens=mean, **capped)
    if ends is not None:
        return responses.derive(mean_between, "response_tokens", **ends, sigma=sigma, **capped)
    uncut = responses.assume("inference.response_tokens", member="mean_tokens")
    mean = responses.derive(
        mean_after_cap, "response_tokens", uncut_tokens=uncut, sigma=sigma, **capped
    )
    responses.warn(
        "assumed_response_length",
        f"the mean response length is not given; {mean.central:.0f} tokens were taken, and costs"
        " are nearly proportional to it",
        member="mean_tokens",
    )
    return mean
