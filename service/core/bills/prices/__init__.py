"""What a device-hour costs: a price given, one offer, or the market; see docs/market.md."""
