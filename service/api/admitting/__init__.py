"""Who is let in: the one place where a request is admitted."""
