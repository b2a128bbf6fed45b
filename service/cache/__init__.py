"""Where issued quotes are kept: in memory, and in Redis if there is one; keys are contents."""
