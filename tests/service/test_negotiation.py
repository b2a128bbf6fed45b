"""Of the media types on offer, the one that is wanted most is sent, and none that is ruled out."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.http.negotiation import check_accepts
from service.api.refusing.errors import NotAcceptable

JSON, HTML, TEXT = "application/json", "text/html", "text/plain"


@pytest.mark.parametrize(
    ("accept", "offered", "sent"),
    [
        (None, (JSON,), JSON),
        ("", (JSON,), JSON),
        ("*/*", (HTML, TEXT), HTML),
        ("text/*", (HTML, TEXT), HTML),
        ("text/*;q=0.3, text/plain", (HTML, TEXT), TEXT),
        ("text/html;q=0.4, text/plain;q=0.5", (HTML, TEXT), TEXT),
        ("text/html;q=0, */*", (HTML, TEXT), TEXT),
        ("application/json;q=0, */*;q=0.1", (JSON,), None),
        ("application/json;q=0.5, */*;q=0", (JSON,), JSON),
        ("application/*;q=0, application/json;q=0.001", (JSON,), JSON),
        ("application/json ; charset=utf-8 ; Q=0.5", (JSON,), JSON),
        ("APPLICATION/JSON", (JSON,), JSON),
        ("application/json;q=much", (JSON,), None),
        ("text/csv", (JSON,), None),
        ("*/*;q=0", (JSON,), None),
        (",", (JSON,), None),
        ("*/*," * 300, (JSON,), None),
    ],
)
def test_what_is_sent_for_an_accept_header(accept, offered, sent):
    if sent is not None:
        assert check_accepts(accept, *offered) == sent
    else:
        with pytest.raises(NotAcceptable):
            check_accepts(accept, *offered)


@given(st.text(max_size=80))
def test_any_header_is_understood_in_some_way(accept):
    with contextlib.suppress(NotAcceptable):
        assert check_accepts(accept, JSON, HTML) in {JSON, HTML}
