"""Lists and tables of plain integers as the int64 arrays that the law reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from clearing.layout import Rows


def array(values: Sequence[int]) -> Rows[int]:
    """Return the values as one array."""
    return cast("Rows[int]", np.array(values, dtype=np.int64))


def column(rows: Sequence[dict[str, int]], name: str) -> Rows[int]:
    """Return one column of a table as an array."""
    return array([row[name] for row in rows])


def empty(count: int) -> Rows[int]:
    """Return an array for `count` results."""
    return array([0] * count)
