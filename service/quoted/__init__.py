"""Questions about quotes: why two differ, what an invoice says of one, and many at once.

The quotes are asked of `service.quoting` like any others, so they are cached and bounded as those.
"""
