"""Questions about many quotes: what to choose, and what would have to be."""
