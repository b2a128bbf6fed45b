"""Routes of questions about quotes, and of batches of them."""
