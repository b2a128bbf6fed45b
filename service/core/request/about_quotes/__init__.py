"""What may be asked about quotes: why two differ, and what an invoice says of one."""
