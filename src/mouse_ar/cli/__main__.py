"""``python -m mouse_ar.cli``."""

from __future__ import annotations

from mouse_ar.cli import main

if __name__ == "__main__":
    main()
