"""The basis `owned`: what the same device-hours cost whoever owns the cluster, by a named convention."""
