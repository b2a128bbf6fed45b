"""Device-hours of tuning a model on examples, by whatever loss."""
