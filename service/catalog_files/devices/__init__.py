"""Readers of what is known of devices."""
