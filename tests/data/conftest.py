"""The embedded catalog, read once."""

import pytest

from service.catalog_files import load_catalog
from service.core.catalog.catalog import Catalog


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """The embedded catalog."""
    return load_catalog()
