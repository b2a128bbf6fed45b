"""How the contract of our types becomes one that clients read: open, flat, and short."""
