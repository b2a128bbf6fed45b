"""The basis `fully_loaded`: the run with what a headline leaves out."""
