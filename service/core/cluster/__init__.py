"""On what a run is computed: hardware, failures, energy."""
