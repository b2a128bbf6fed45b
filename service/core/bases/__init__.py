"""Ways of accounting over the same device-hours, one module each; they do not know each other."""
