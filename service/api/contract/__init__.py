"""The published contract: the OpenAPI document and what it is built from."""
