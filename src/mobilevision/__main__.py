"""`python -m mobilevision` is the command `mobilevision`."""

from mobilevision.cli import main

if __name__ == "__main__":
    main()
