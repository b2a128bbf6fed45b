"""The service over HTTP: the contract, what is refused, and the routes."""
