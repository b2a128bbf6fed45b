"""What may be asked about two quotes: each by its id, or by its request."""

from typing import TypeAlias

from msgspec import UNSET, UnsetType

from service.core.request.accounting import KeptQuoteId
from service.core.request.request import CatalogVersion, QuoteRequest
from service.core.request.wire import Wire


class QuoteById(Wire, tag_field="kind", tag="quote", frozen=True, kw_only=True):
    """A quote that is kept. With a `catalog`, its request is quoted again by that edition."""

    id: KeptQuoteId
    catalog: CatalogVersion | UnsetType = UNSET


class QuoteByRequest(Wire, tag_field="kind", tag="request", frozen=True, kw_only=True):
    """The quote of a request. A `catalog` here goes before that of the request."""

    request: QuoteRequest
    catalog: CatalogVersion | UnsetType = UNSET


QuoteSide: TypeAlias = QuoteById | QuoteByRequest


class DifferenceRequest(Wire, frozen=True, kw_only=True):
    """Two quotes: the one before, and the one after."""

    before: QuoteSide
    after: QuoteSide
