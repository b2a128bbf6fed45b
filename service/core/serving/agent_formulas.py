"""Trajectories of agents: what they write, what they read, and the seconds that they wait.

An agent writes, waits for its environment, reads what that answers, and writes again. All is told
per token that it writes, so that a long trajectory has more turns than a short one.
"""

from typing import Final

from service.core.figures.arrays import Real, maximum, minimum
from service.core.figures.formulas import formula
from service.core.serving.length_formulas import NO_CAP_TOKENS

LEAST_WRITTEN: Final = 1.0
"""Tokens of a turn: an agent that writes nothing does not act."""
NO_MOST_TURNS: Final = 1e9


@formula("trajectory_tokens_of_cap", unit="token")
def trajectory_tokens_of_cap(*, most_tokens: Real, share_of_cap: Real) -> Real:
    """Tokens that a mean trajectory writes and reads, under a cap on both.

        most_tokens * share_of_cap

    Source: definition.
    """
    return most_tokens * share_of_cap


@formula("written_of_turn", unit="token")
def written_of_turn(
    *, tokens: Real, turns: Real, read_tokens: Real = 0.0, read_per_written: Real = 0.0
) -> Real:
    """Tokens that an agent writes in a turn, from those of a trajectory.

        (tokens / turns - read_tokens) / (1 + read_per_written), at least 1

    Source: definition.
    """
    return maximum(LEAST_WRITTEN, (tokens / turns - read_tokens) / (1.0 + read_per_written))


@formula("read_of_turn", unit="token")
def read_of_turn(*, written_tokens: Real, read_per_written: Real) -> Real:
    """Tokens that an agent reads after a turn, from those that it writes in it.

        written_tokens * read_per_written

    Source: definition.
    """
    return written_tokens * read_per_written


@formula("turns_of_trajectory", unit="count")
def turns_of_trajectory(*, tokens: Real, written_tokens: Real, read_tokens: Real = 0.0) -> Real:
    """Turns of a trajectory of so many tokens.

        tokens / (written_tokens + read_tokens), at least 1

    Source: definition.
    """
    return maximum(1.0, tokens / (written_tokens + read_tokens))


@formula("written_in_trajectory", unit="token")
def written_in_trajectory(*, turns: Real, written_tokens: Real) -> Real:
    """Tokens that an agent writes in all turns.

        turns * written_tokens

    Source: definition.
    """
    return turns * written_tokens


@formula("most_written_in_trajectory", unit="token")
def most_written_in_trajectory(
    *,
    written_tokens: Real,
    read_tokens: Real,
    most_tokens: Real = NO_CAP_TOKENS,
    most_turns: Real = NO_MOST_TURNS,
) -> Real:
    """Tokens that an agent writes at most, if either cap ends its trajectory.

        min(most_tokens * written / (written + read), most_turns * written)

    Source: definition.
    """
    share = written_tokens / (written_tokens + read_tokens)
    return minimum(most_tokens * share, most_turns * written_tokens)


@formula("read_per_written_token", unit="ratio")
def read_per_written_token(*, read_tokens: Real, written_tokens: Real) -> Real:
    """Tokens that an agent reads, for each that it writes.

        read_tokens / written_tokens

    Source: definition.
    """
    return read_tokens / written_tokens


@formula("pause_per_written_token", unit="second")
def pause_per_written_token(*, environment_seconds: Real, written_tokens: Real) -> Real:
    """Seconds that an agent waits, for each token that it writes.

        environment_seconds / written_tokens

    Source: definition.
    """
    return environment_seconds / written_tokens


@formula("prefilled_per_written_token", unit="ratio")
def prefilled_per_written_token(
    *,
    prompt_tokens: Real,
    response_tokens: Real,
    written_tokens: Real,
    read_per_written: Real,
    reread_share: Real,
) -> Real:
    """Tokens that run through the model without being written, for each that is written.

        read_per_written + reread_share * (prompt + written so far + read so far) / written_tokens

    An engine keeps what a trajectory has had, unless it needs the room while the agent waits. Then
    the next turn begins with all of it. The mean of what there is so far is half the trajectory.

    Source: this service's own model of a cache of prefixes.
    """
    so_far = prompt_tokens + response_tokens * (1.0 + read_per_written) / 2.0
    return read_per_written + reread_share * so_far / written_tokens


@formula("tokens_of_trajectory", unit="token")
def tokens_of_trajectory(*, response_tokens: Real, read_per_written: Real) -> Real:
    """Tokens of a mean trajectory, written and read.

        response_tokens * (1 + read_per_written)

    Source: definition.
    """
    return response_tokens * (1.0 + read_per_written)
