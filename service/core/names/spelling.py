"""How a name is read that is not spelled as the catalog spells it.

Case and separators do not count: "RTX4090" is "rtx-4090". Two numbers stay apart, so that
"llama-2-7b" is not "llama-27b". A point between two numbers is a separator as well.

A spelling has words that say which row is meant, such as "H100", and words that may stand anywhere
beside them, such as "NVIDIA" or "80GB". Nothing else may. So "H100 PCIe" is read by the row that
has "PCIe", and "H100 94GB" by the row that has "94GB".
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple
from unicodedata import combining, normalize

SEPARATORS: Final = re.compile(r"[\W_]+")
APART: Final = "-"
"""What keeps two numbers apart."""


def dashed(text: str) -> str:
    """A name in lower case, with one dash for whatever stands between its words."""
    return SEPARATORS.sub(APART, normalize("NFKC", text).casefold()).strip(APART)


def folded(text: str) -> str:
    """A name without what does not count: case, and separators that are not between two numbers."""
    first, *rest = dashed(text).split(APART)
    found = first
    for word in rest:
        between_numbers = found[-1:].isdigit() and word[:1].isdigit()
        found += APART + word if between_numbers else word
    return found


def spaceless(text: str) -> str:
    """A code without its spaces. Dashes count: "eu-west-1" and "eu-west1" are two regions."""
    return dashed("".join(text.split()))


def plain(text: str) -> str:
    """The letters and digits of a name, in lower case and without accents."""
    letters = normalize("NFKD", text).casefold()
    return "".join(one for one in letters if one.isalnum() and not combining(one))


def folded_words(text: str) -> tuple[str, ...]:
    """The words of a name, folded. A number with a point is one word."""
    return tuple(filter(None, map(folded, re.split(r"[^\w.]|_", text))))


class Spelling(NamedTuple):
    """One way in which a known name is written.

    `words` must all stand in the text, in this order, and `beside` may stand anywhere. It is
    `assumed` that this name is meant if the text fits several names.
    """

    name: str
    words: tuple[str, ...]
    beside: frozenset[str] = frozenset()
    assumed: bool = False

    def reads(self, text: str) -> bool:
        """Whether a folded text has all words, and nothing else than those beside them."""
        if not all(word in text for word in self.words):
            return False
        return len(self.words) in self._read(text, most_passed_over=0)

    def completes(self, text: str) -> bool:
        """Whether a folded text has some of the words, and leaves others out."""
        if not any(word in text for word in self.words):
            return False
        return any(self._read(text, most_passed_over=len(self.words)))

    def holds(self, text: str) -> bool:
        """Whether all words stand somewhere in a folded text, and none within a number."""
        return all(_stands_in(text, word) for word in self.words)

    def _read(self, text: str, *, most_passed_over: int) -> Iterator[int]:
        """The number of words that each way of reading the whole text has come past.

        So many words may be passed over before each that is read.
        """
        beside = [word for word in self.beside if word in text]
        waiting = {(0, 0)}
        seen = set(waiting)
        while waiting:
            at, past = waiting.pop()
            if at == len(text):
                yield past
                continue
            ahead = enumerate(self.words[past : past + 1 + most_passed_over], start=past + 1)
            steps = {(at + len(word), past) for word in beside if text.startswith(word, at)}
            steps |= {(at + len(word), i) for i, word in ahead if text.startswith(word, at)}
            if text[at] == APART:
                steps.add((at + 1, past))
            steps = {step for step in steps - seen if _may_end(text, step[0])}
            waiting |= steps
            seen |= steps


def _stands_in(text: str, word: str) -> bool:
    at = text.find(word)
    while at >= 0:
        if _may_end(text, at) and _may_end(text, at + len(word)):
            return True
        at = text.find(word, at + 1)
    return False


def _may_end(text: str, place: int) -> bool:
    """Whether a word may end or begin here: not within a number."""
    return not (text[max(place - 1, 0) : place].isdigit() and text[place : place + 1].isdigit())


def spelling_of(
    name: str, text: str, *, beside: Iterable[str] = (), assumed: bool = False
) -> Spelling:
    """A spelling of a name. Words of the name itself may stand beside."""
    words = folded_words(text)
    extra = {*folded_words(name), *map(folded, beside)} - {""}
    return Spelling(name, words, frozenset(extra - set(words)), assumed)
