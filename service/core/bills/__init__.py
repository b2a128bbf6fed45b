"""Device-hours become lines and totals, by each way of accounting."""
