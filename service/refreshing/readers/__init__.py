"""What others publish, read into listings: one module for each source."""
