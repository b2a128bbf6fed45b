"""What an id stands for: the engine's own digest, and the canonical form of a request."""
