"""The reference of the formulas: `docs/formulas.md`, made from the registry and from quotes."""
