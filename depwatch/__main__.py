"""`python -m depwatch`."""

from depwatch.cli import main

if __name__ == "__main__":
    main()
