"""What holds for every test."""

from hypothesis import settings

# A busy machine is slow, and no test asserts a time.
settings.register_profile("runquote", deadline=None)
settings.load_profile("runquote")
