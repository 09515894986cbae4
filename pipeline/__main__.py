"""``python -m pipeline``."""

import sys

if __name__ == "__main__":
    try:
        from pipeline.cli import main
    except KeyboardInterrupt:  # it takes a second to start, and nothing was begun yet
        sys.exit(1)
    main()
