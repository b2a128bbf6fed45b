"""HTTP and only HTTP: decode, ask, encode."""
