"""Commands of `runquote` that ask about quotes."""
