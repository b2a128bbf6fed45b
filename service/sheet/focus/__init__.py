"""A bill in the columns of FOCUS."""
