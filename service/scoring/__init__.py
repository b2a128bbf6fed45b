"""How well predictions agree with files of published or measured figures. Quotes do not use it."""
