"""Does an envelope open only to the bytes that were sealed, under the key they were sealed for?"""

import zlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from service.cache.envelope import COMPRESS_FROM_BYTES, HEADER_BYTES, InvalidEnvelope, seal, unseal
from service.cache.key import is_content_id, redis_key

KEY = "rq:2:q_0"
PLENTY = 1_000_000
bodies = st.binary(max_size=300) | st.builds(
    lambda piece, times: piece * times, st.binary(min_size=1, max_size=50), st.integers(1, 200)
)


def opens(value: bytes, *, key: str = KEY, max_body_bytes: int = PLENTY) -> bytes | None:
    try:
        return unseal(key=key, value=value, max_body_bytes=max_body_bytes)
    except InvalidEnvelope:
        return None


@given(body=bodies)
def test_what_was_sealed_comes_back(body):
    assert opens(seal(key=KEY, body=body)) == body


@given(body=bodies, data=st.data())
def test_a_truncated_value_does_not_open(body, data):
    value = seal(key=KEY, body=body)
    kept = data.draw(st.integers(0, len(value) - 1))
    assert opens(value[:kept]) is None


@given(body=bodies, tail=st.binary(min_size=1, max_size=20))
def test_a_value_with_something_behind_it_does_not_open(body, tail):
    assert opens(seal(key=KEY, body=body) + tail) is None


@given(body=bodies, data=st.data())
def test_an_altered_value_opens_to_the_same_body_or_not_at_all(body, data):
    value = bytearray(seal(key=KEY, body=body))
    place = data.draw(st.integers(0, len(value) - 1))
    value[place] ^= data.draw(st.integers(1, 255))
    assert opens(bytes(value)) in (None, body)


@given(garbage=st.binary(max_size=200))
def test_garbage_does_not_open(garbage):
    assert opens(garbage) is None


@given(body=bodies, other=st.text(min_size=1, max_size=20))
def test_a_value_copied_from_another_key_does_not_open(body, other):
    assume(other != KEY)
    assert opens(seal(key=KEY, body=body), key=other) is None


def test_a_long_text_is_kept_smaller_than_it_is():
    body = b'{"figure": "peak_flop_per_s"}' * 1000
    assert len(seal(key=KEY, body=body)) < len(body) / 10


def test_what_does_not_shrink_is_kept_as_it_is():
    body = zlib.compress(bytes(range(256)) * 1000, 9) * 8
    incompressible = bytes((i * i * 7919 + i * 104729) >> 5 & 255 for i in range(300))
    assert len(seal(key=KEY, body=incompressible)) == HEADER_BYTES + len(incompressible)
    assert len(seal(key=KEY, body=body)) <= HEADER_BYTES + len(body)


@pytest.mark.parametrize("size", [0, 1, COMPRESS_FROM_BYTES - 1, COMPRESS_FROM_BYTES, 100_000])
def test_no_more_than_the_bound_is_returned(size):
    value = seal(key=KEY, body=bytes(size))
    assert opens(value, max_body_bytes=size) == bytes(size)
    if size:
        assert opens(value, max_body_bytes=size - 1) is None


def test_a_key_holds_a_content_id_and_nothing_else():
    assert redis_key("q_0aZ-9") == "rq:2:q_0aZ-9"
    for typed in ("", "q 1", "q_1\n", "q:*", "{q}", "ä", "q" * 129, "../q", "q\x00"):
        assert not is_content_id(typed)
        with pytest.raises(AssertionError):
            redis_key(typed)
