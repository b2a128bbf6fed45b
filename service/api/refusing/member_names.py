"""What was meant by a member that is not known: one that is spelled alike and means the same.

`usd_per_device_hour` is not what `eur_per_device_hour` or `usd_per_instance_hour` mean, though it
looks like them. So a word that tells a unit or a thing is only ever taken for itself.
"""

from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

SAME: Final = {
    "accelerator": "device",
    "chip": "device",
    "gpu": "device",
    "tpu": "device",
    "hr": "hour",
    "h": "hour",
    "minute": "min",
    "sec": "second",
    "s": "second",
    "dollar": "usd",
    "cost": "usd",
    "node": "instance",
    "server": "instance",
    "host": "instance",
    "percent": "percentage",
    "picture": "image",
    "utilisation": "utilization",
    "seq": "sequence",
    "seqlen": "sequence_length",
    "len": "length",
    "lr": "learning",
}
"""Words of one meaning."""
FILLERS: Final = frozenset(("n", "num", "number", "of", "count", "total", "the"))
"""Words that change nothing."""
CURRENCIES: Final = frozenset(("usd", "eur", "gbp", "cny", "rmb", "jpy", "inr", "chf", "cent"))
TIMES: Final = frozenset(("second", "min", "hour", "day", "week", "month", "quarter", "year"))
MACHINES: Final = frozenset(("device", "instance", "rack", "cluster", "core", "vcpu"))
TEXTS: Final = frozenset(("token", "example", "sample", "prompt", "response", "request", "batch"))
PICTURES: Final = frozenset(("image", "video", "audio", "frame", "pixel"))
SIZES: Final = frozenset(("gb", "gib", "tb", "tib", "mb", "gbit", "gbps", "byte", "bit", "kwh"))
RATES: Final = frozenset(("share", "percentage", "rate", "ratio", "mean", "most", "max", "min"))
MORE: Final = frozenset(("price", "step", "epoch", "flop", "tflop", "mwh", "watt", "low", "high"))
TELLING: Final = CURRENCIES | TIMES | MACHINES | TEXTS | PICTURES | SIZES | RATES | MORE
"""Words that tell a unit, or what is counted."""
LEAST_ALIKE: Final = 0.6
"""Share of characters that two spellings of one word have in common, in order."""

FOREIGN: Final = "amounts are given in US dollars here; convert it"
PER_DEVICE: Final = (
    "a price is that of one device for one hour; divide that of an instance by its devices, and "
    "say how many it has in devices_per_instance"
)
TEXT_ALONE: Final = (
    "images are said by `image_share` of a model with a vision tower: their tokens over all; "
    "video and sound are not modelled"
)
DEADLINE: Final = "a quote is for a given number of devices; ask for several, and compare"
PER_HOUR: Final = "a price is that of an hour; a month has 730 of them on average"
NOTHING: Final = frozenset[str]()
ADVICE: Final = (
    (CURRENCIES - {"usd"}, NOTHING, FOREIGN),
    (frozenset(("instance", "rack")), NOTHING, PER_DEVICE),
    (TIMES - {"hour"}, frozenset(("usd", "device")), PER_HOUR),
    (frozenset(("percentage",)), NOTHING, "shares go from 0 to 1; 40% is 0.4"),
    (PICTURES | {"vision", "multimodal"}, NOTHING, TEXT_ALONE),
    (frozenset(("deadline",)), NOTHING, DEADLINE),
)
"""What to do about a member with one of the first words and all of the second ones."""


def alike(name: str, known: Sequence[str], *, most: int = 3) -> list[str]:
    """The known members that a name may be a spelling of, the most alike first."""
    words = words_of(name)
    found = {one: likeness(words, words_of(one)) for one in known}
    close = [one for one, share in found.items() if share]
    return sorted(close, key=lambda one: (-found[one], one))[:most]


def advice_on(name: str) -> str:
    """What to do about a member with words that no known member has. Empty if nothing is."""
    words = set(words_of(name))
    return next((told for some, every, told in ADVICE if words & some and words >= every), "")


def words_of(name: str) -> tuple[str, ...]:
    """The words of a member, in one form for each meaning, without those that change nothing."""
    spread = "".join(f"_{one.lower()}" if one.isupper() else one for one in name)
    words = spread.replace("-", "_").replace(" ", "_").split("_")
    singular = [word[:-1] if len(word) > 2 and word.endswith("s") else word for word in words]
    return tuple(SAME.get(word, word) for word in singular if word and word not in FILLERS)


def likeness(asked: Sequence[str], known: Sequence[str]) -> float:
    """How alike two members are, from 0 to 1: each word that differs must be a misspelt one.

    Words that tell a unit or a thing are never taken for another.
    """
    left, right = Counter(asked), Counter(known)
    ours, theirs = sorted((left - right).elements()), sorted((right - left).elements())
    if len(ours) != len(theirs) or any(word in TELLING for word in ours):
        return 0.0
    shares = [max(SequenceMatcher(None, word, other).ratio() for other in theirs) for word in ours]
    if any(share < LEAST_ALIKE for share in shares):
        return 0.0
    return (len(asked) - len(ours) + sum(shares)) / max(len(asked), 1)
