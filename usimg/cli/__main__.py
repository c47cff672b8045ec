"""``python -m usimg.cli``, where the ``usimg`` command is not on the path."""

from usimg.cli import main

if __name__ == "__main__":
    main()
