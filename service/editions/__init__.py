"""The editions of the catalog that answers are computed with, and how the newest takes its turn."""
