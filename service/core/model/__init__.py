"""What is trained: its shape, its parameters and its FLOP per token."""
