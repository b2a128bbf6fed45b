"""Does an envelope open only to the bytes that were sealed, under the key they were sealed for?"""

import zlib
from itertools import pairwise

import pytest
import zstandard
from hypothesis import assume, given
from hypothesis import strategies as st

from service.cache.envelope import (
    COMPRESS_FROM_BYTES,
    HEADER_BYTES,
    Envelopes,
    InvalidEnvelope,
    Unauthentic,
    value_bytes,
)
from service.cache.key import is_content_id, redis_key

KEY = "rq:4:q_0"
PLENTY = 1_000_000
PLAIN = Envelopes()
SIGNED = Envelopes(secret="a secret of some length")
OTHER = Envelopes(secret="another one of some length")
EACH = (PLAIN, SIGNED)
seal = PLAIN.seal
bodies = st.binary(max_size=300) | st.builds(
    lambda piece, times: piece * times, st.binary(min_size=1, max_size=50), st.integers(1, 200)
)


def opens(
    value: bytes, *, key: str = KEY, max_body_bytes: int = PLENTY, by: Envelopes = PLAIN
) -> bytes | None:
    try:
        return by.unseal(key=key, value=value, max_body_bytes=max_body_bytes)
    except InvalidEnvelope:
        return None


envelopes = st.sampled_from(EACH)


@given(body=bodies, by=envelopes)
def test_what_was_sealed_comes_back(body, by):
    assert opens(by.seal(key=KEY, body=body), by=by) == body


@given(body=bodies, by=envelopes)
def test_a_value_says_in_its_header_how_long_it_is(body, by):
    value = by.seal(key=KEY, body=body)
    assert value_bytes(value[:HEADER_BYTES]) == len(value)


@given(body=bodies, by=envelopes, data=st.data())
def test_a_truncated_value_does_not_open(body, by, data):
    value = by.seal(key=KEY, body=body)
    kept = data.draw(st.integers(0, len(value) - 1))
    assert opens(value[:kept], by=by) is None


@given(body=bodies, by=envelopes, tail=st.binary(min_size=1, max_size=20))
def test_a_value_with_something_behind_it_does_not_open(body, by, tail):
    assert opens(by.seal(key=KEY, body=body) + tail, by=by) is None


@given(body=bodies, by=envelopes, data=st.data())
def test_an_altered_value_does_not_open(body, by, data):
    value = bytearray(by.seal(key=KEY, body=body))
    place = data.draw(st.integers(0, len(value) - 1))
    value[place] ^= data.draw(st.integers(1, 255))
    assert opens(bytes(value), by=by) is None


@given(garbage=st.binary(max_size=200), by=envelopes)
def test_garbage_does_not_open(garbage, by):
    assert opens(garbage, by=by) is None


@given(body=bodies, by=envelopes, other=st.text(min_size=1, max_size=20))
def test_a_value_copied_from_another_key_does_not_open(body, by, other):
    assume(other != KEY)
    assert opens(by.seal(key=KEY, body=body), key=other, by=by) is None


@given(body=bodies)
def test_who_has_another_secret_or_none_opens_nothing(body):
    everyone = (PLAIN, SIGNED, OTHER, PLAIN)
    for writer, reader in pairwise(everyone):
        assert opens(writer.seal(key=KEY, body=body), by=reader) is None
    for forged in (PLAIN, OTHER):
        with pytest.raises(Unauthentic):
            SIGNED.unseal(key=KEY, value=forged.seal(key=KEY, body=body), max_body_bytes=len(body))


@pytest.mark.parametrize("unsized", [True, False])
def test_a_bomb_that_was_sealed_by_ourselves_is_not_inflated(unsized, monkeypatch):
    compressor = zstandard.ZstdCompressor(write_content_size=not unsized)
    monkeypatch.setattr(zstandard, "ZstdCompressor", lambda level: compressor)
    bomb = seal(key=KEY, body=bytes(10_000_000))
    assert len(bomb) < 10_000
    assert opens(bomb, max_body_bytes=9_999_999) is None


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
    assert redis_key("q_0aZ-9") == "rq:4:q_0aZ-9"
    for typed in ("", "q 1", "q_1\n", "q:*", "{q}", "ä", "q" * 129, "../q", "q\x00"):
        assert not is_content_id(typed)
        with pytest.raises(AssertionError):
            redis_key(typed)
