"""Benchmarks: CPU time per request, always beside a peer in the same run; nothing is asserted."""
