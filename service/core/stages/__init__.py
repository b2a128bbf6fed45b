"""Work becomes device-hours."""
