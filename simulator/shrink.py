"""Delta debugging: the fewest kinds of faults with which a seed still breaks the same promise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.world import Options


def smallest(kinds: Sequence[str], breaks: Callable[[frozenset[str]], bool]) -> frozenset[str]:
    """Return a set of kinds that `breaks`, from which no single kind can be left out.

    `breaks` tells whether the run with these kinds alone fails as the first one did, as it does
    with all of them. The empty set comes first, because many defects need no kind at all.
    """
    if breaks(frozenset()):
        return frozenset()
    left = list(kinds)
    parts = 2
    while len(left) >= 2:
        size = -(-len(left) // parts)
        chunks = [left[start : start + size] for start in range(0, len(left), size)]
        for chunk in chunks:
            rest = [kind for kind in left if kind not in chunk]
            if breaks(frozenset(rest)):
                left, parts = rest, max(parts - 1, 2)
                break
        else:
            if parts >= len(left):
                break
            parts = min(2 * parts, len(left))
    return frozenset(left)


def command_of(seed: int, options: Options) -> str:
    """Return the command that runs a seed again with these options."""
    arguments = [
        *(["--no-challenger"] if not options.challenger else []),
        *(["--no-faults"] if not options.faults else []),
        *([] if options.frauds is None else [f"--frauds {options.frauds}"]),
        *([] if options.seconds is None else [f"--seconds {options.seconds}"]),
        *(f"--without {kind}" for kind in sorted(options.without)),
    ]
    return " ".join(["novatio sim repro", str(seed), *arguments])
