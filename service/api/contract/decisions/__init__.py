"""What the contract shows of comparisons and solutions."""
