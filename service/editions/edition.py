"""One edition as it is used: a catalog, and what it was made of."""

from msgspec import Struct

from service.catalog_files import load_catalog
from service.catalog_files.texts import NOTHING, Texts
from service.core.catalog.catalog import Catalog


class Recipe(Struct, frozen=True, kw_only=True):
    """What a catalog is made of besides the embedded files. Any process makes the same of it."""

    overlay: Texts = NOTHING
    book: Texts = NOTHING

    def made(self) -> Catalog:
        """The catalog. Raises `CatalogError`."""
        return load_catalog(overlay=self.overlay, book=self.book)


class Edition(Struct, frozen=True):
    """A catalog with its recipe. An answer is computed with one edition from begin to end."""

    catalog: Catalog
    recipe: Recipe = Recipe()

    @property
    def version(self) -> str:
        """Its name, a date."""
        return self.catalog.version

    @property
    def digest(self) -> str:
        """What tells it from all others."""
        return self.catalog.digest


def made_of(recipe: Recipe) -> Edition:
    """The edition of a recipe. Raises `CatalogError`."""
    return Edition(recipe.made(), recipe)
