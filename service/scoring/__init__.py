"""How well predictions agree with files of published or measured figures; no quote needs it."""
