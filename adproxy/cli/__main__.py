"""``python -m adproxy.cli``."""

from adproxy.cli.app import main

main()
