"""What 1,024 draws say of a number: columns, rows, quantiles, sensitivity, spread."""
