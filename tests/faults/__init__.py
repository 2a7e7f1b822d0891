"""Faults on purpose: `make faults LENGTH=…`. Each module is a kind of trouble, and answers rows of the table."""
