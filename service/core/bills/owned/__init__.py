"""The basis `owned`: the cost of the same device-hours to an owner, by a named convention."""
