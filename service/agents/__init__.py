"""Five small tools for agents (Model Context Protocol): over standard input, or under `/mcp`.

A tool takes a few plain arguments and answers in a few kilobytes, where the request of a quote has
a schema of 157 KB, and its answer a hundred. Only `server` and `http` know the package `mcp`, which
is an extra.
"""
