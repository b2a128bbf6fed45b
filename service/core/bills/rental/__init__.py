"""The basis `rental`: what the sellers of device-hours bill, and what comes with it."""
