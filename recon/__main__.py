"""``python -m recon`` is ``recon``."""

from recon.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
