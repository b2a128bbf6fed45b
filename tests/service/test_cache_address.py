"""Is a Redis address read as it is documented, and never repeated with its password?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cache import InvalidRedisAddress, RedisAddress, redis_address

READ = {
    "redis://localhost": RedisAddress(kind="single", tls=False, nodes=(("localhost", 6379),)),
    "redis://10.0.0.1:7000/3": RedisAddress(
        kind="single", tls=False, nodes=(("10.0.0.1", 7000),), database=3
    ),
    "redis://:p%40ss%2F@cache": RedisAddress(
        kind="single", tls=False, nodes=(("cache", 6379),), password="p@ss/"
    ),
    "rediss://quoter:a:b@[::1]:6380?ssl_ca_certs=/etc/ca.pem": RedisAddress(
        kind="single",
        tls=True,
        nodes=(("::1", 6380),),
        username="quoter",
        password="a:b",
        ssl_ca_certs="/etc/ca.pem",
    ),
    "redis+sentinel://:secret@a,b:26380,[fd00::1]/quotes/2?sentinel_password=other": RedisAddress(
        kind="sentinel",
        tls=False,
        nodes=(("a", 26379), ("b", 26380), ("fd00::1", 26379)),
        password="secret",
        master="quotes",
        database=2,
        sentinel_password="other",
    ),
    "rediss+cluster://quoter:secret@a:7000,b:7001/0": RedisAddress(
        kind="cluster",
        tls=True,
        nodes=(("a", 7000), ("b", 7001)),
        username="quoter",
        password="secret",
    ),
}

REFUSED = (
    "",
    "localhost:6379",
    "http://secret@localhost",
    "redis://",
    "redis://secret@localhost",
    "redis://secret:@localhost",
    "redis://a,b",
    "redis://localhost:0",
    "redis://localhost:65536",
    "redis://localhost:port",
    "redis://local host",
    "redis://[::1",
    "redis://[::1]x",
    "redis://localhost/one",
    "redis://localhost/1/2",
    "redis://localhost/65536",
    "redis://localhost#secret",
    "redis://localhost?socket_timeout=30",
    "redis://localhost?ssl_ca_certs=/etc/ca.pem",
    "rediss://localhost?ssl_cert_reqs=none",
    "rediss://localhost?ssl_ca_certs=",
    "rediss://localhost?ssl_ca_certs=a&ssl_ca_certs=b",
    "redis+sentinel://a,b",
    "redis+sentinel://a/",
    "redis+sentinel://a,,b/quotes",
    "redis+cluster://a/1",
    "redis+cluster://a?sentinel_password=secret",
)


@pytest.mark.parametrize("url", READ)
def test_an_address_is_read(url):
    read = redis_address(url)
    assert all(
        getattr(read, name) == getattr(READ[url], name) for name in RedisAddress.__struct_fields__
    )


@pytest.mark.parametrize("url", REFUSED)
def test_an_address_that_cannot_be_meant_is_refused(url):
    with pytest.raises(InvalidRedisAddress) as refusal:
        redis_address(url)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("url", READ)
def test_the_text_of_an_address_leaves_credentials_out(url):
    address = redis_address(url)
    for text in (str(address), repr(address), f"{address}"):
        assert not any(word in text for word in ("secret", "quoter", "p@ss", "other", "a:b"))
        assert redis_address(text).nodes == address.nodes
        assert redis_address(text).master == address.master


@given(password=st.text(min_size=1))
def test_any_password_can_be_written(password):
    from urllib.parse import quote

    address = redis_address(f"redis://:{quote(password, safe='')}@cache")
    assert address.password == password
    assert address.nodes == (("cache", 6379),)
