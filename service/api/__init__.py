"""HTTP and only HTTP: bytes in, problems and pages out, and the contract that says so."""
