"""Device-hours of reinforcement learning."""
