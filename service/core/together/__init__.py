"""Quotes whose requests differ in some numbers alone, argued together. See `figures.lanes`."""
