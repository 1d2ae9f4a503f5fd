"""`python -m l9.cli` is the command `l9`."""

from l9.cli import main

if __name__ == "__main__":
    main()
