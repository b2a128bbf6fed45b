"""Does the memory tier stay within its bound, and return exactly what it was given?"""

from hypothesis import given
from hypothesis import strategies as st

from service.cache.memory import ENTRY_OVERHEAD_BYTES, MemoryTier, entry_bytes

keys = st.sampled_from([f"q_{number}" for number in range(12)])
bodies = st.binary(max_size=2000)
bounds = st.integers(min_value=0, max_value=6000)
puts = st.tuples(keys, bodies)


@given(bound=bounds, steps=st.lists(puts | keys, max_size=60))
def test_the_bound_holds_and_get_returns_what_was_put_last_or_nothing(bound, steps):
    memory = MemoryTier(max_bytes=bound)
    last: dict[str, bytes] = {}
    for step in steps:
        if isinstance(step, tuple):
            key, body = step
            kept = memory.put(key, body)
            assert kept == (entry_bytes((key, body)) <= bound)
            if kept:
                last[key] = body
                assert memory.get(key) == body
        else:
            assert memory.get(step) in (None, last.get(step))
        present = {key: body for key in last if (body := memory.get(key)) is not None}
        assert sum(entry_bytes(entry) for entry in present.items()) == memory.used_bytes <= bound


@given(entries=st.dictionaries(keys, bodies, max_size=12))
def test_entries_that_fit_together_are_all_kept(entries):
    memory = MemoryTier(max_bytes=sum(entry_bytes(entry) for entry in entries.items()))
    for key, body in entries.items():
        assert memory.put(key, body)
    assert {key: memory.get(key) for key in entries} == entries


def test_the_entry_used_longest_ago_makes_room():
    memory = MemoryTier(max_bytes=2 * entry_bytes(("q_0", b"body")))
    memory.put("q_0", b"body")
    memory.put("q_1", b"body")
    memory.get("q_0")
    memory.put("q_2", b"body")
    assert memory.get("q_1") is None
    assert memory.get("q_0") == memory.get("q_2") == b"body"


def test_an_entry_larger_than_the_bound_is_not_kept_and_displaces_nothing():
    memory = MemoryTier(max_bytes=2000)
    memory.put("q_0", b"body")
    assert not memory.put("q_1", bytes(2000))
    assert memory.get("q_0") == b"body"
    assert memory.get("q_1") is None


def test_a_key_and_the_bookkeeping_count():
    assert entry_bytes(("q" * 100, b"")) > 100 + ENTRY_OVERHEAD_BYTES
    assert entry_bytes(("q" * 101, b"")) == entry_bytes(("q" * 100, b"x"))


def test_a_tier_of_no_bytes_keeps_nothing():
    memory = MemoryTier(max_bytes=0)
    assert not memory.put("q_0", b"")
    assert len(memory) == 0
