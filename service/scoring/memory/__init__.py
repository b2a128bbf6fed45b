"""Measured peaks of memory, and runs that died, against what the engine says of them."""
