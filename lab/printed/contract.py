"""The published contract, as `runquote openapi --write openapi` writes it."""

from lab.files import ROOT, Texts
from service.api.contract.document import documents
from service.core.catalog.catalog import Catalog


def made(_: Catalog) -> Texts:
    """Both forms of the contract as today's types make them; no catalog moves it."""
    return {ROOT / "openapi" / name: text.decode() for name, text in documents().items()}
