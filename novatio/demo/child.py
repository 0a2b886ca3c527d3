"""One process of a small world: `python -m novatio.demo.child ROLE CONFIG`.

The roles are those of the `novatio` command; this door spares each child the command's imports.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

__all__ = ["ROLES", "main"]


def _base(config: str) -> int:
    from novatio.processes import run_base

    return run_base(config)


def _fast_base(config: str) -> int:
    from novatio.demo.base import run

    return run(config)


def _node(config: str) -> int:
    from node.config import Config, load
    from node.runner import run

    return run(load(Config, config).config)


def _challenger(config: str) -> int:
    from novatio.processes import run_challenger

    return run_challenger(config)


def _feed(config: str) -> int:
    from novatio.feed import run

    return run(config)


def _keeper(config: str) -> int:
    from novatio.keeper import run

    return run(config)


def _member(config: str) -> int:
    from novatio.processes import run_member

    return run_member(config)


ROLES: Final[dict[str, Callable[[str], int]]] = {
    "base": _base,
    "fast-base": _fast_base,
    "node": _node,
    "challenger": _challenger,
    "feed": _feed,
    "keeper": _keeper,
    "member": _member,
}


def main(arguments: list[str]) -> int:
    """Run the role that the arguments name; return its exit code."""
    if len(arguments) != 2 or arguments[0] not in ROLES:
        print(f"expected one of {', '.join(ROLES)} and a file, was {arguments}", file=sys.stderr)
        return 2
    role, config = arguments
    return ROLES[role](config)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
