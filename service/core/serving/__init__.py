"""How long writing text takes: lengths, decoding, replicas."""
