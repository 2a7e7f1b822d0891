"""Fuzzing of what strangers' bytes reach: `make fuzz SECONDS=…`. Inputs worth keeping stand in `corpus/`."""
