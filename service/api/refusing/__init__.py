"""Reading a body, and refusing it: decoding, errors and problems."""
