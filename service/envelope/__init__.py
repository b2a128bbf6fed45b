"""What follows from the envelope of a request, added to the bytes that are kept."""
