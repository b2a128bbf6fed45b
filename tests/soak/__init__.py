"""Mixed traffic against one service for minutes. Its Redis and its catalog change meanwhile."""
