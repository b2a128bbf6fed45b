"""What is known: devices, offers, sites, models, runs, constants of the engine."""
