"""runquote: what a training run costs, line by line, with the source of every number."""
