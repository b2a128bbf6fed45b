"""What holds for every test."""

import pytest
from hypothesis import settings

# A busy machine is slow, and no test asserts a time.
settings.register_profile("runquote", deadline=None)
settings.load_profile("runquote")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with tests that may take longer than others, so that all workers end together."""
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)
