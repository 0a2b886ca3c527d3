"""State rows: one class is the documentation, the mypy type and the NumPy dtype of a record.

    class Position:
        instrument: int
        lots: int

    class Account:
        cash: int
        positions: Annotated[Rows[Position], 32]

    accounts: Rows[Account] = new_rows(Account, 1024)
    accounts[7].positions[3].lots += 5

The last line means the same compiled and interpreted. Every field is int64: NumPy and numba
disagree about narrower and unsigned ones, and bounds belong to decoding.
"""

from __future__ import annotations

import functools
from typing import Annotated, Any, Protocol, TypeVar, cast, get_args, get_origin, get_type_hints
from typing import overload as typing_overload

import numpy as np

T = TypeVar("T")


class Rows(Protocol[T]):
    """A one-dimensional array of T as the law sees it; ``np.ndarray`` at run time."""

    @typing_overload
    def __getitem__(self, index: int, /) -> T: ...
    @typing_overload
    def __getitem__(self, index: slice, /) -> Rows[T]: ...
    def __setitem__(self, index: int, value: T, /) -> None: ...
    @property
    def shape(self) -> tuple[int, ...]:
        """Length in rows, as a tuple of one."""

    def reshape(self, shape: tuple[int, int], /) -> Grid:
        """Return the same contiguous pieces as rows of pieces."""


class Grid(Protocol):
    """A two-dimensional int64 array as the law sees it: a row of pieces, or one piece."""

    @typing_overload
    def __getitem__(self, index: int, /) -> Rows[int]: ...
    @typing_overload
    def __getitem__(self, index: tuple[int, int], /) -> int: ...


@functools.cache
def dtype_of(cls: type) -> np.dtype[Any]:
    """Return the aligned record dtype of ``cls``, fields in the order they are written.

    Fields are ``int``, another such class, or ``Annotated[Rows[X], n]`` with X either of these
    and n >= 1. Raises TypeError, naming the field, for anything else.
    """
    hints = get_type_hints(cls, include_extras=True)
    if not hints:
        raise TypeError(f"{cls.__qualname__} has no annotated fields; expected at least one")
    fields = [(name, *_field(cls, name, hint)) for name, hint in hints.items()]
    return np.dtype((np.record, cast(Any, fields)), align=True)


def new_rows(cls: type[T], count: int) -> Rows[T]:
    """Return ``count`` zeroed rows of ``cls``, contiguous and writable. count >= 0."""
    return cast(Rows[T], np.zeros(count, dtype_of(cast(Any, cls))))


def pieces_of(rows: Any) -> Any:
    """Return a view of contiguous ``rows`` as int64 of shape (rows, int64 fields in a row)."""
    return rows.view(np.int64).reshape(rows.shape[0], rows.dtype.itemsize // 8)


def _field(cls: type, name: str, hint: Any) -> tuple[Any, ...]:
    if get_origin(hint) is not Annotated:
        return (_scalar(cls, name, hint),)
    rows, length = get_args(hint)
    if get_origin(rows) is not Rows or type(length) is not int or length < 1:
        raise TypeError(
            f"{cls.__qualname__}.{name}: expected Annotated[Rows[X], n] with n >= 1, was {hint}"
        )
    return _scalar(cls, name, get_args(rows)[0]), (length,)


def _scalar(cls: type, name: str, hint: Any) -> np.dtype[Any]:
    if hint is int:
        return np.dtype(np.int64)
    if isinstance(hint, type) and hint not in (bool, float, str, bytes, object):
        return dtype_of(hint)
    raise TypeError(
        f"{cls.__qualname__}.{name}: expected int, a record class or Annotated[Rows[X], n], "
        f"was {hint}"
    )
