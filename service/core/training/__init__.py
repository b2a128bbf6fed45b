"""How long a training step takes, and what fits in memory."""
