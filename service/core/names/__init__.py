"""Names as people write them, and the one known name that each stands for."""
