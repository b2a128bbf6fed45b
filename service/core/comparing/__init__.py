"""One run on every cluster that can be had for it: what each costs and when each is done."""
