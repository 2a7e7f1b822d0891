"""Judges of other hands: `make judges`. Each is run against adproxy and, beside it, against its origin."""
