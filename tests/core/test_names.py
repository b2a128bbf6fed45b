"""Which known names look most like an unknown one: laws, and cases with a known answer."""

from hypothesis import given
from hypothesis import strategies as st

from service.core.names.names import MEANT_LISTED, NEAREST_LISTED, Names, pairs_of

names = st.lists(st.text("ab-1é", max_size=8), min_size=1, max_size=12, unique=True)


@given(known=names, asked=st.text("abcA-1é", max_size=8))
def test_the_nearest_are_known_and_as_many_as_there_are(known, asked):
    found = Names(known).nearest(asked)
    assert len(found) >= min(len(known), NEAREST_LISTED)
    assert len(found) == len(set(found)) <= max(NEAREST_LISTED, MEANT_LISTED)
    assert set(found) <= set(known)


@given(known=names, asked=st.text("abcA-1é", max_size=8))
def test_likeness_is_the_share_of_common_pairs_of_characters(known, asked):
    def likeness(name):
        ours, theirs = pairs_of(asked.lower()), pairs_of(name.lower())
        share = 2 * len(ours & theirs) / (len(ours) + len(theirs))
        return (asked.lower() in name.lower()) + share, -len(name)

    found = [likeness(name) for name in Names(known).alike(asked)]
    assert found == sorted(map(likeness, known), reverse=True)[:NEAREST_LISTED]


@given(known=names)
def test_a_known_name_is_nearest_to_itself(known):
    assert all(Names(known).nearest(name)[0] == name for name in known)


def test_a_part_of_a_name_finds_the_shortest_that_contains_it():
    known = Names(["nvidia-h100-sxm-80gb", "nvidia-h100-pcie", "amd-mi300x"])
    assert known.nearest("H100") == ("nvidia-h100-pcie", "nvidia-h100-sxm-80gb", "amd-mi300x")


def test_the_pairs_of_a_name_count_its_ends_and_each_pair_once():
    assert pairs_of("abab") == {" a", "ab", "ba", "b "}
