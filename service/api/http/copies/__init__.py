"""Compressed copies of answers: which one a client gets, and when one is made."""
