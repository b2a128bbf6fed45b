"""Routes and middleware: HTTP and nothing else."""
