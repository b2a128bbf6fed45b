"""The embedded catalog, read once."""

import pytest

from service.core.catalog.catalog import Catalog
from tests.worlds import embedded


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """The embedded catalog."""
    return embedded()
