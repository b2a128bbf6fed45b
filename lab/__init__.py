"""The laboratory: fits, calibration and reports; never a part of the service."""
