"""What others call our sellers and devices."""
