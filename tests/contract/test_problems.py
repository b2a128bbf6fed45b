"""Every refusal is a problem of the table, says what is wrong, and never shows our insides."""

import json
import re
from typing import Any, get_args

import msgspec
import pytest
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException

from service.api.contract.examples import PROBLEMS, problem_example
from service.api.refusing import errors as refusals
from service.api.refusing.errors import Code, Fault, MethodNotAllowed, Refused
from service.api.refusing.problems import DOMAIN, KINDS, Problem, kind_of, refusal_of, render
from service.core.catalog import errors as domain
from service.core.catalog.errors import NotQuotable, QuoteError, UnknownAccelerator, UnknownProvider
from service.core.names.names import Names


def every_subclass(of: type[Any]) -> set[type[Any]]:
    found: set[type[Any]] = set()
    for inner in of.__subclasses__():
        found |= {inner, *every_subclass(inner)}
    return found


def test_every_error_of_the_domain_has_a_row_of_its_own():
    own = {error for error in every_subclass(QuoteError) if error.__module__ == domain.__name__}
    assert own <= DOMAIN.keys()


def test_every_refusal_of_the_edge_is_of_a_kind_in_the_table():
    assert {error.__name__ for error in every_subclass(Refused)} == {
        name
        for name, value in vars(refusals).items()
        if isinstance(value, type) and issubclass(value, Refused) and value is not Refused
    }
    assert set(PROBLEMS) == set(KINDS)
    for slug, error in PROBLEMS.items():
        assert refusal_of(error).slug == slug


def test_slugs_and_titles_are_fixed_and_unique():
    assert all(re.fullmatch(r"[a-z0-9-]+", slug) for slug in KINDS)
    titles = [kind.title for kind in KINDS.values()]
    assert len(set(titles)) == len(titles)
    assert all(kind.meaning and kind.remedy for kind in KINDS.values())


def test_statuses_say_who_is_to_blame():
    assert {KINDS[slug].status for slug in ("unreadable-json", "invalid-query")} == {400}
    assert {kind.status for kind in DOMAIN.values()} == {409, 422}
    assert KINDS["internal-error"].status == 500


def test_every_code_belongs_to_a_kind():
    used = {code for kind in KINDS.values() for code in kind.codes}
    assert used == set(get_args(Code))


@pytest.mark.parametrize("slug", sorted(KINDS))
def test_a_problem_is_well_formed_and_its_example_uses_its_codes(slug):
    rendered = render(PROBLEMS[slug], request_id="a/b c")
    problem = msgspec.json.decode(rendered.body, type=Problem)
    assert problem.type == f"/problems/{slug}"
    assert problem.title == KINDS[slug].title
    assert problem.status == rendered.status == KINDS[slug].status
    assert problem.instance == "/requests/a%2Fb%20c"
    assert rendered.headers["Content-Type"] == "application/problem+json"
    assert rendered.headers["Cache-Control"] == "no-store"
    assert rendered.headers["Content-Length"] == str(len(rendered.body))
    if slug != "not-quotable":
        assert {fault.code for fault in problem.errors} <= set(KINDS[slug].codes)
    assert problem_example(slug)["type"] == problem.type


def unknown_accelerator(index: int) -> UnknownAccelerator:
    known = Names(["nvidia-h100-sxm-80gb"])
    return UnknownAccelerator(asked="h100", known=known, pointer=f"/run/stages/{index}/cluster")


def test_errors_of_one_kind_keep_its_slug_and_several_kinds_share_one():
    same = NotQuotable((unknown_accelerator(0), unknown_accelerator(1)))
    assert refusal_of(same).slug == "unknown-accelerator"
    assert [fault.pointer for fault in refusal_of(same).errors] == [
        "/run/stages/0/cluster",
        "/run/stages/1/cluster",
    ]
    other = UnknownProvider(
        asked="amazon", known=Names(["aws"]), pointer="/cluster/supply/provider"
    )
    assert refusal_of(NotQuotable((unknown_accelerator(0), other))).slug == "not-quotable"
    assert refusal_of(unknown_accelerator(0)).errors[0].nearest == ("nvidia-h100-sxm-80gb",)


def test_an_error_that_is_not_in_the_table_goes_as_its_base_class():
    class Strange(UnknownAccelerator):
        """Made up for this test"""

    assert kind_of(Strange).slug == "unknown-accelerator"


def test_an_unforeseen_error_is_a_500_that_shows_nothing_of_it():
    rendered = render(RuntimeError("password=hunter2"), request_id="1")
    assert rendered.status == 500
    assert b"hunter2" not in rendered.body


def test_405_lists_the_methods_and_head_wherever_get_is():
    error = MethodNotAllowedException(headers={"allow": "OPTIONS, GET"})
    assert render(error, request_id="1").headers["Allow"] == "GET, HEAD, OPTIONS"
    assert render(MethodNotAllowed(allowed=("POST",)), request_id="1").headers["Allow"] == "POST"


def test_what_the_framework_refuses_is_a_problem_too():
    assert refusal_of(NotFoundException()).slug == "not-found"
    assert refusal_of(HTTPException(status_code=413)).slug == "payload-too-large"
    assert refusal_of(HTTPException(status_code=400, detail="odd")).slug == "unreadable-request"
    assert refusal_of(HTTPException(status_code=500)).slug == "internal-error"


def test_facts_that_do_not_apply_are_absent():
    fault = json.loads(msgspec.json.encode(Fault(code="too_deep", detail="...", pointer="")))
    assert fault == {"code": "too_deep", "detail": "...", "pointer": ""}
