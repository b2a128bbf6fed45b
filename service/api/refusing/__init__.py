"""What is said to a request that is refused: errors, problems, and how a body is read."""
