"""``python -m adproxy`` is ``adproxy``."""

from adproxy.cli import main

if __name__ == "__main__":
    main()
