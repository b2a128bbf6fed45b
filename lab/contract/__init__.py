"""The contract against that of the last release: what breaks a client, and what is only added."""
