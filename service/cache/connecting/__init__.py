"""Connections to Redis of any kind: one server, Sentinel, a Cluster; over TLS or not."""
