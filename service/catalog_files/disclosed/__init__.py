"""What was published of runs: hours, costs, and what was said in public of them."""
