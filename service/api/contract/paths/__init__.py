"""The paths of the contract: each operation, its parameters, and all its answers."""
