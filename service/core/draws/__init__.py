"""Intervals and drivers from 1,024 draws: columns, rows, quantiles, sensitivity, spread."""
