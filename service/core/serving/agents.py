"""An agent's turns as figures, given or assumed, and what they make of the lengths of responses."""

from typing import Final

from msgspec import UNSET, Struct

from service.core.argument import Cursor
from service.core.figures.ledger import Term
from service.core.request.work import Agent, Generation, Reinforcement, Responses
from service.core.serving.agent_formulas import (
    most_written_in_trajectory,
    pause_per_written_token,
    prefilled_per_written_token,
    read_of_turn,
    read_per_written_token,
    tokens_of_trajectory,
    trajectory_tokens_of_cap,
    turns_of_trajectory,
    written_in_trajectory,
    written_of_turn,
)
from service.core.serving.length_formulas import kept_below_cap

AGREES: Final = 0.05
"""How far apart two statements of one number may be, as a share of it."""


class AgentTerms(Struct, frozen=True, kw_only=True):
    """What an agent reads and how long it waits, for each token that it writes."""

    read_per_written: Term
    prefilled_per_written: Term
    pause_seconds: Term
    trajectory_tokens: Term

    @property
    def inputs(self) -> dict[str, Term]:
        """The inputs of formulas."""
        return {
            "read_per_written": self.read_per_written,
            "prefilled_per_written": self.prefilled_per_written,
            "pause_seconds": self.pause_seconds,
        }


class WrittenByAgent(Struct, frozen=True, kw_only=True):
    """What an agent writes: tokens in a mean trajectory, and at most."""

    mean_tokens: Term
    cap_tokens: Term | None
    of_turn: Term
    read_of_turn: Term


class _Turn(Struct, frozen=True, kw_only=True):
    """One turn, and the mean number of them."""

    written: Term
    read: Term
    turns: Term


def written_by(work: Cursor[Generation] | Cursor[Reinforcement]) -> WrittenByAgent:
    """What an agent writes, from what is said of its turns and of its responses."""
    agent: Cursor[Agent] = work.at("agent", prefix=f"{work.prefix}/agent")
    responses: Cursor[Responses] = work.at("responses")
    mean = responses.quantity("mean_tokens", unit="token") if _has_mean(responses) else None
    caps = {}
    if responses.states("most_tokens"):
        caps["most_tokens"] = responses.quantity("most_tokens", unit="token")
    turn = _turn(agent, mean, _trajectory_of_cap(agent, responses, caps.get("most_tokens")))
    if agent.states("most_turns"):
        caps["most_turns"] = agent.quantity("most_turns", unit="count")
    if mean is None:
        mean = agent.derive(
            written_in_trajectory, "written", turns=turn.turns, written_tokens=turn.written
        )
    else:
        _warn_of_two(agent, mean)
    if not caps:
        return WrittenByAgent(
            mean_tokens=mean, cap_tokens=None, of_turn=turn.written, read_of_turn=turn.read
        )
    cap = agent.derive(
        most_written_in_trajectory,
        "most_written",
        written_tokens=turn.written,
        read_tokens=turn.read,
        **caps,
    )
    return WrittenByAgent(
        mean_tokens=agent.derive(
            kept_below_cap, "response_tokens", mean_tokens=mean, cap_tokens=cap
        ),
        cap_tokens=cap,
        of_turn=turn.written,
        read_of_turn=turn.read,
    )


def agent_terms(
    work: Cursor[Generation] | Cursor[Reinforcement], written: WrittenByAgent, prompt_tokens: Term
) -> AgentTerms:
    """What an agent reads and how long it waits, for each token that it writes."""
    agent: Cursor[Agent] = work.at("agent", prefix=f"{work.prefix}/agent")
    waiting = agent.assumed(
        "environment_seconds",
        unit="second",
        default="agents.environment_seconds",
        warns="assumed_agent",
    )
    read = agent.derive(
        read_per_written_token,
        "read_per_written",
        read_tokens=written.read_of_turn,
        written_tokens=written.of_turn,
    )
    return AgentTerms(
        read_per_written=read,
        prefilled_per_written=agent.derive(
            prefilled_per_written_token,
            "prefilled_per_written",
            prompt_tokens=prompt_tokens,
            response_tokens=written.mean_tokens,
            written_tokens=written.of_turn,
            read_per_written=read,
            reread_share=agent.assume("agents.reread_share"),
        ),
        pause_seconds=agent.derive(
            pause_per_written_token,
            "pause_seconds",
            environment_seconds=waiting,
            written_tokens=written.of_turn,
        ),
        trajectory_tokens=agent.derive(
            tokens_of_trajectory,
            "trajectory_tokens",
            response_tokens=written.mean_tokens,
            read_per_written=read,
        ),
    )


def _has_mean(responses: Cursor[Responses]) -> bool:
    return responses.said.mean_tokens is not UNSET


def _trajectory_of_cap(
    agent: Cursor[Agent], responses: Cursor[Responses], cap: Term | None
) -> Term | None:
    """Tokens of a mean trajectory as a usual share of its cap, where nothing else tells them."""
    both = agent.states("turns") and agent.states("written_tokens")
    if cap is None or both or _has_mean(responses):
        return None
    return agent.derive(
        trajectory_tokens_of_cap,
        "trajectory_of_cap",
        most_tokens=cap,
        share_of_cap=responses.assume("agents.share_of_cap", member="mean_tokens"),
    )


def _turn(agent: Cursor[Agent], mean: Term | None, whole: Term | None) -> _Turn:
    """Turns and what each has: as given, or from what a trajectory has, or assumed."""
    turns = agent.quantity("turns", unit="count") if agent.states("turns") else None
    written, read = _written_and_read(agent, turns, mean, whole)
    if turns is None:
        turns = _turns(agent, written, read, mean, whole)
    return _Turn(written=written, read=read, turns=turns)


def _written_and_read(
    agent: Cursor[Agent], turns: Term | None, mean: Term | None, whole: Term | None
) -> tuple[Term, Term]:
    """Tokens that are written in a turn, and those that are read after it."""
    read = agent.quantity("read_tokens", unit="token") if agent.states("read_tokens") else None
    ratio = {}
    if read is None:
        term = agent.assume("agents.read_per_written", member="read_tokens")
        ratio["read_per_written"] = term
        _warn(agent, "read_tokens", f"{term.central:g} tokens for each that it writes")
    if agent.states("written_tokens"):
        written = agent.quantity("written_tokens", unit="token")
    elif turns is not None and mean is not None:
        written = agent.derive(written_of_turn, tokens=mean, turns=turns)
    elif turns is not None and whole is not None:
        beside = ratio if read is None else {"read_tokens": read}
        written = agent.derive(written_of_turn, tokens=whole, turns=turns, **beside)
    else:
        written = agent.assume("agents.written_tokens", member="written_tokens")
        _warn(agent, "written_tokens", f"{written.central:g} tokens a turn")
    if read is None:
        read = agent.derive(read_of_turn, written_tokens=written, **ratio)
    return written, read


def _turns(
    agent: Cursor[Agent], written: Term, read: Term, mean: Term | None, whole: Term | None
) -> Term:
    """Turns of a mean trajectory, where they are not given."""
    if mean is not None:
        return agent.derive(turns_of_trajectory, "turns", tokens=mean, written_tokens=written)
    if whole is not None:
        found = agent.derive(
            turns_of_trajectory, "turns", tokens=whole, written_tokens=written, read_tokens=read
        )
    else:
        found = agent.assume("agents.turns", member="turns")
    _warn(agent, "turns", f"{found.central:.3g} turns")
    return found


def _warn(agent: Cursor[Agent], member: str, taken: str) -> None:
    agent.warn("assumed_agent", f"{member} is not given; {taken} were taken", member=member)


def _warn_of_two(agent: Cursor[Agent], mean: Term) -> None:
    """Warn if what is written in all turns is not what the turns make."""
    if not (agent.states("turns") and agent.states("written_tokens")):
        return
    turns, written = (
        agent.quantity("turns", unit="count"),
        agent.quantity("written_tokens", unit="token"),
    )
    made = turns.central * written.central
    if abs(made / mean.central - 1.0) > AGREES:
        agent.warn(
            "contradictory",
            f"turns times written_tokens are {made:g} tokens, and responses/mean_tokens is "
            f"{mean.central:g}, which was taken",
            member="written_tokens",
        )
