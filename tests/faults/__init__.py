"""Faults as a suite: real components that are mistreated, and what the service does about it."""
