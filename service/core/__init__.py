"""The argument itself: pure functions over frozen structs, without clock, disk, network or web."""
