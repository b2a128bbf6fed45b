"""How far a price may have moved since it was read; see docs/market.md."""
