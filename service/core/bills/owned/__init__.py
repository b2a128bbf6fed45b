"""The basis `owned`: what the same device-hours cost an owner, by a named convention."""
