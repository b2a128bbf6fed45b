"""The page of formulas, as `runquote formulas --write docs/formulas.md` writes it."""

from lab.files import ROOT, Texts
from service.core.catalog.catalog import Catalog
from service.formula_reference.page import formulas_page


def made(_: Catalog) -> Texts:
    """The page as today's registry makes it."""
    return {ROOT / "docs" / "formulas.md": formulas_page()}
