"""A small world that goes on: the processes of the demo at their own pace, until Ctrl-C.

`novatio devnet DIRECTORY` runs base layer, node, challenger, feed and keeper on the wall clock. The
feed replays the recorded market at a bar a second, back and forth, and takers trade in it. What the
directory holds is taken up again at the next start.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from node.config import ClockSection, ConfigInvalid, load_genesis
from novatio.demo.files import Layout, Pace, toml, write_files, write_secret
from novatio.demo.processes import Children, ProcessFailed
from novatio.demo.stage import Stage, start
from novatio.demo.trading import Trading
from novatio.demo.wallet import TransactionFailed
from novatio.errors import NovatioError
from novatio.warm import main as warm
from novatio.world import ACCOUNTS_MIN, World
from verifier.errors import VerifierError

__all__ = ["run"]

NODE: Final = "127.0.0.1:7400"
BASE: Final = "127.0.0.1:7401"
MEMBER_PORT: Final = 7_405
BAR_MS: Final = 1_000
BLOCK_MS: Final = 1_000
BARS: Final = 2_880
FOREVER: Final = 1 << 40
LOOK_SECONDS: Final = 0.5
LINE_SECONDS: Final = 10.0
STEP_SECONDS: Final = 180.0

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2


def run(directory: str = "devnet", accounts: int = 240, seed: int = 1, members: int = 0) -> int:
    """Run a devnet in `directory` until a signal; return the exit code.

    `accounts` is at least novatio.world.ACCOUNTS_MIN; `members` hold the batches' data, 0: all data
    are inline. A directory of another world is refused with exit code 2.
    """
    home = Path(directory).resolve()
    home.mkdir(parents=True, exist_ok=True)
    before = {number: signal.signal(number, _interrupt) for number in _SIGNALS}
    try:
        world = _world(home, accounts, seed, members)
        warm()
        with Children(home) as children:
            _run(home, world, children, members)
    except KeyboardInterrupt:
        print(f"\ndevnet stopped; novatio devnet {directory} takes it up again", file=sys.stderr)
        return 0
    except (ConfigInvalid, ValueError) as error:
        print(f"novatio devnet: {error}", file=sys.stderr)
        return EXIT_USAGE
    except (NovatioError, ProcessFailed, TransactionFailed, VerifierError) as error:
        print(f"novatio devnet: {error}\nthe logs are in {home}", file=sys.stderr)
        return EXIT_FAILED
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(home: Path, world: World, children: Children, members: int) -> NoReturn:
    """Set everything up, tell how to use it, and keep it going."""
    print("starting base layer, node and challenger ...", file=sys.stderr)
    addresses = tuple(f"127.0.0.1:{MEMBER_PORT + place}" for place in range(members))
    layout = Layout(home, BASE, NODE, addresses)
    clock = ClockSection()
    start_ms = time.time_ns() // 1_000_000
    pace = Pace(1, block_wall_ms=BLOCK_MS, batch_wall_ms=1_000, poll_wall_ms=200)
    feed = {"start_ms": start_ms, "bar_ms": BAR_MS, "minutes": BARS, "loop": True}
    write_files(layout, world, clock, pace, feed)
    _write_settings(layout, world)

    def wait(holds: Callable[[], bool], what: str) -> None:
        limit = time.monotonic() + STEP_SECONDS
        while not holds():
            children.check()
            if time.monotonic() > limit:
                raise ProcessFailed(f"expected {what} within {STEP_SECONDS:.0f} s, was not so")
            time.sleep(LOOK_SECONDS)

    stage = Stage.open(world, clock, layout, children, wait, base_role="base")
    flow = stage.flow(0, BARS, loop=True, first_sequence=start_ms)
    trading = Trading(stage.client, flow, stage.clock, start_ms, FOREVER, BAR_MS)
    try:
        start(children, layout, "feed")
        start(children, layout, "keeper")
        wait(
            lambda: all(one.mark_price_micro for one in stage.client.instruments()),
            "a first price of every market",
        )
        trading.start()
        print(_welcome(layout, world.accounts - 1))
        _watch(stage, trading)
    finally:
        trading.stop()
        stage.close()


def _watch(stage: Stage, trading: Trading) -> NoReturn:
    """Say how it goes, now and then, until something stops."""
    last = 0.0
    while True:
        stage.children.check()
        if trading.done:
            raise ProcessFailed("expected trading to go on, it ended")
        if time.monotonic() - last > LINE_SECONDS:
            last = time.monotonic()
            heads = stage.client.heads()
            prices = ", ".join(
                f"{one.symbol} {one.mark_price_micro * 1_000 / one.lot_size_nano:,.2f}"
                for one in stage.client.instruments()
            )
            print(
                f"{prices}; {heads.sequenced.sequence} actions sequenced, batch "
                f"{heads.posted.number} posted, {heads.finalised.number} final, base-layer block "
                f"{heads.base_block}",
                flush=True,
            )
        time.sleep(LOOK_SECONDS)


def _world(home: Path, accounts: int, seed: int, members: int) -> World:
    """Return the directory's world, made now if there is none. Raises ConfigInvalid."""
    if accounts < ACCOUNTS_MIN:
        raise ConfigInvalid([f"accounts: expected at least {ACCOUNTS_MIN}, was {accounts}"])
    genesis = home / "genesis.json"
    marker = home / "world.toml"
    committee = {"members": members} if members else {}
    found = toml({"world": {"seed": seed, "accounts": accounts, **committee}})
    if not marker.exists():
        marker.write_text(found, "utf-8")
        return World(seed, accounts, time.time_ns() // 1_000_000, BLOCK_MS)
    if marker.read_text("utf-8") != found:
        raise ConfigInvalid(
            [
                f"{marker}: expected seed {seed}, {accounts} accounts and {members} members, was "
                "another world; give what it was made with, or name another directory"
            ]
        )
    return World(seed, accounts, load_genesis(genesis).time_ms, BLOCK_MS)


def _write_settings(layout: Layout, world: World) -> None:
    """Write what the `novatio` command needs to speak to this world, with the guest's key."""
    key_file = layout.key_file("guest")
    write_secret(key_file, world.key("guest").hex() + "\n")
    settings = {
        "node": layout.node,
        "base": layout.base,
        "genesis": str(layout.directory / "genesis.json"),
        "key_file": key_file,
    }
    sections = {"client": settings}
    if layout.members:
        sections["committee"] = {"members": ",".join(layout.members)}
    (layout.directory / "novatio.toml").write_text(toml(sections), "utf-8")


def _welcome(layout: Layout, guest: int) -> str:
    here = os.path.relpath(layout.directory)
    return f"""
node        {layout.node}   (gRPC with health and reflection)
base layer  {layout.base}
files, keys and logs are in {here}; account {guest} is yours, its key is {here}/guest.key

try, in another terminal:
  export NOVATIO_CONFIG={here}/novatio.toml
  novatio heads
  novatio instrument list
  novatio account show {guest}
  novatio batch list
  novatio withdraw request {guest} 100
  novatio operator status
Ctrl-C ends it.
"""


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """End the children on one way, also where a shell has made a background job ignore SIGINT."""
    raise KeyboardInterrupt
