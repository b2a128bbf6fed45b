"""The argument itself: pure functions over frozen values, without clock, file, network or environment."""
