"""What stands at the head of a quote's sheet: words of the caller."""

from msgspec import UNSET, UnsetType

from service.core.answer.base import Answer
from service.core.request.envelope import Buyer, Note, Reference, Title


class Heading(Answer, frozen=True, kw_only=True):
    """Words of the caller for the sheet of a quote. They move no number."""

    title: Title | UnsetType = UNSET
    buyer: Buyer | UnsetType = UNSET
    reference: Reference | UnsetType = UNSET
    note: Note | UnsetType = UNSET
