"""The server process: bounded connections, an application, and an end that loses nothing."""
