"""Measured throughput of generation against what the engine says of it."""
