"""How list prices moved, and how well that says what they are some days later."""
