"""Comparisons and solutions for a terminal."""
