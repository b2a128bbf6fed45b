"""Where a quote is computed, and how long that takes: in turn beside requests, or by a worker."""
