"""Facts of memory and generation: what the constants of both are, and how well they do unseen."""
