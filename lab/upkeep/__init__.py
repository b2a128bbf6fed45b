"""Generated files and what they are made from: which are current, and how to make them anew."""
