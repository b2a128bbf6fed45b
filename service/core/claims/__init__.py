"""A published figure is read in every way that it may be meant, and judged by each reading."""
