"""Quotes computed again from their JSON alone. Nothing here imports the core of the service.

Each function takes a quote as `read` reads it and yields what is wrong with it, in words. Amounts
are decimals and agree to the last printed digit. Other numbers agree to a billionth.
"""
