"""Programs that build and run the notebook series."""
