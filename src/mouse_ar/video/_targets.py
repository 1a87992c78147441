"""Keeps what is written away from what is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["require_distinct"]


def require_distinct(source: Path | str, targets: Sequence[Path | str]) -> None:
    """Refuse to write over the source or twice to one file, however the paths are spelled.

    Raises:
        ValueError: two of the paths lead to the same file.
    """
    resolved = [Path(path).resolve() for path in (source, *targets)]
    repeated = sorted({str(path) for path in resolved if resolved.count(path) > 1})
    if repeated:
        raise ValueError(
            f"{source}: the targets must differ from each other and from the source, "
            f"got {repeated} more than once."
        )
