"""How a number is written down: units, sources, the registry of formulas, the ledger."""
