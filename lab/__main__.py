"""`python -m lab`: fit, calibrate, report."""

from lab.cli import app

app(prog_name="python -m lab")
