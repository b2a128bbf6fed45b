"""runquote: what an AI training run costs, line by line, with a source for every figure."""

__version__ = "0.2.0"
