"""What the tests of the running service share."""

import pytest
from hypothesis import settings

from tests.redis_server import redis_server
from tests.service.recording import Recorder

__all__ = ["anyio_backend", "recorder", "redis_server"]

# No test asserts a time, not even by default.
settings.register_profile("runquote", deadline=None)
settings.load_profile("runquote")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()
