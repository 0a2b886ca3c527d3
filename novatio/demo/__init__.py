"""The demo: a small world that trades through a crash, is defrauded, and recovers.

`novatio demo` starts a base layer, a node, a price feed, a keeper and a challenger as processes,
replays two recorded days in a minute, turns the operator rogue, and checks every sum at the end.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from novatio.demo.director import Options
    from novatio.demo.report import Report

__all__ = ["run"]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130


def run(output: str = "table", accounts: int = 240, seed: int = 1, minutes: int = 10) -> int:
    """Run the demo and print its report as "table" or "json"; return the exit code.

    `accounts` is at least novatio.world.ACCOUNTS_MIN; after `minutes` of wall time the demo gives
    up. 0 only if every check held; 1 with the failed checks, or with what broke and where the logs
    are; 130 when interrupted. Standard output gets the report alone; progress goes to standard
    error, as a live picture if that is a terminal and as lines if not.
    """
    from novatio.demo.director import Options
    from novatio.world import ACCOUNTS_MIN

    if accounts < ACCOUNTS_MIN:
        print(
            f"novatio demo: expected at least {ACCOUNTS_MIN} accounts, was {accounts}; "
            f"next: novatio demo --accounts {ACCOUNTS_MIN}",
            file=sys.stderr,
        )
        return EXIT_USAGE
    options = Options(accounts=accounts, seed=seed, limit_seconds=60.0 * minutes)
    return play(options, output)


def play(options: Options, output: str) -> int:
    """Run a demo of any size; see `run`."""
    from rich.console import Console

    from novatio.demo.director import Director
    from novatio.demo.view import screen_for
    from novatio.warm import main as warm
    from novatio.world import load_markets

    directory = Path(tempfile.mkdtemp(prefix="novatio-demo-"))
    console = Console(stderr=True)
    before = {number: signal.signal(number, _interrupt) for number in _SIGNALS}
    try:
        # The law's time runs a thousand times faster than the wall's from the first process on:
        # nothing may be compiled after that.
        warm()
        with screen_for(console, load_markets(), options.first) as screen:
            director = Director(options, directory, screen)
            report = director.run()
    except KeyboardInterrupt:
        print(f"interrupted; the logs are in {directory}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except Exception as error:
        # Whatever breaks the world is a failed demo; the logs say more than a trace would.
        print(f"novatio demo: {error}\nthe logs are in {directory}", file=sys.stderr)
        return EXIT_FAILED
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    _print(report, output)
    if not report.ok:
        print(f"the logs are in {directory}", file=sys.stderr)
        return EXIT_FAILED
    shutil.rmtree(directory)
    return 0


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """End the children on one way, also where a shell has made a background job ignore SIGINT."""
    raise KeyboardInterrupt


def _print(report: Report, output: str) -> None:
    if output == "json":
        print(report.json())
        return
    print("\n".join(report.lines()))
    print("every check held" if report.ok else f"{len(report.failures)} checks failed")
