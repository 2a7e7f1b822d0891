"""adproxy: ad slots in article pages by rules written in YAML, with every byte of the page left as it was."""

__version__ = "0.1.0"
