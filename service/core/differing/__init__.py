"""Why two amounts differ: two quotes, or a quote and what happened. All parts add up exactly."""
