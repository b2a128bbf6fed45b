"""Forms and parts of a quote over HTTP: its sheet, its parts, and whether it is ours."""
