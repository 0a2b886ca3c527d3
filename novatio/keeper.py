"""The keeper: finds accounts below their maintenance margin and takes over their positions.

`novatio keeper` reads all accounts, a few times a second, and offers to take the largest position
of each failing one. How many lots really move, and at what price, the law decides; the keeper only
has to be able to carry them. It also has the law add up what an owner holds in several accounts,
where that looks like more than one owner may, and again before such a hold ends.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from clearing import eip712
from clearing.codes import Code, Kind
from clearing.genesis import nobodys_address
from clearing.keys import sign
from clearing.messages import Liquidate
from clearing.owner_groups import EVERYWHERE, group_limit
from clearing.requests import Request
from clearing.units import GROUP_ACCOUNTS_MAX
from node.clock import law_clock
from node.config import ClockSection, load, load_key
from node.reach import stop_on_signals
from node.v1 import node_pb2 as pb
from novatio._flows import Outcome
from novatio.client import Client
from novatio.errors import NovatioError, Overloaded, Unavailable
from novatio.governance import params_record
from novatio.world import HOUR_MS, deadline_seconds

__all__ = ["KeeperConfig", "KeeperSection", "Offer", "checks", "offers", "run"]

ACCOUNTS_MAX: Final = 100_000
DEADLINE_SECONDS: Final = 30.0
OFFERS_PER_SUBMISSION: Final = 256
OFFER_LIFE_MS: Final = 48 * HOUR_MS
# What becomes of a keeper who is neither the first nor alone.
EXPECTED: Final = (Code.APPLIED, Code.HEALTHY, Code.NOT_NEEDED)


class KeeperSection(msgspec.Struct, frozen=True, kw_only=True):
    """Who keeps."""

    node: Annotated[str, Meta(description="host:port of the node")] = "127.0.0.1:7400"
    key_file: Annotated[str, Meta(description="file with the keeper's key")] = "keeper.key"
    account: Annotated[int, Meta(description="the keeper's account", ge=0)] = 0
    interval_ms: Annotated[int, Meta(description="pause between two looks", ge=1)] = 250


class KeeperConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The keeper's configuration."""

    keeper: KeeperSection = KeeperSection()
    clock: ClockSection = ClockSection()


class Offer(msgspec.Struct, frozen=True):
    """A position that the keeper would take: all its lots, of which the law moves what it must."""

    account: int
    instrument: int
    lots: int


def offers(accounts: Iterable[pb.Account], keeper: int) -> list[Offer]:
    """Return an offer for the largest position of every account below maintenance margin."""
    found = []
    for account in accounts:
        failing = account.margin.equity_micro < account.margin.maintenance_micro
        if not failing or account.id == keeper or not account.positions:
            continue
        largest = max(account.positions, key=lambda position: abs(position.value_micro))
        found.append(Offer(account.id, largest.instrument, abs(largest.lots)))
    return found


def checks(
    accounts: Iterable[pb.Account], caps: Mapping[int, int], group_ppm: int, until_ms: int
) -> list[Request]:
    """Return an owner check for every owner who holds more of a market than the limit.

    ``caps`` are position caps by market, ``group_ppm`` the owners' limit as a share of them. A
    check names up to 48 accounts, the largest first, and with room left also those that hold
    nothing there. Owners whose accounts are all held until ``until_ms`` or later are left out.
    """
    owned: dict[bytes, list[pb.Account]] = {}
    for account in accounts:
        if account.owner != nobodys_address(account.id):
            owned.setdefault(account.owner, []).append(account)
    found = []
    for mine in owned.values():
        held: dict[int, dict[int, int]] = {}
        for account in mine:
            for position in account.positions:
                held.setdefault(position.instrument, {})[account.id] = abs(position.lots)
        for instrument, lots in held.items():
            limit, _ = group_limit(caps[instrument], group_ppm)
            largest = sorted((-lots.get(one.id, 0), one.id) for one in mine)[:GROUP_ACCOUNTS_MAX]
            named = sorted(id for _, id in largest)
            if -sum(size for size, _ in largest) <= limit:
                continue
            due = [one for one in mine if _held_until(one, instrument) < until_ms]
            if any(one.id in named for one in due):
                found.append(Request.of(Kind.OWNER_CHECK, payload=named, instrument=instrument))
    return found


def _held_until(account: pb.Account, instrument: int) -> int:
    here = account.hold_instrument in (instrument, EVERYWHERE)
    return account.hold_until_ms if here else 0


class Keeper:
    """One keeper's loop over one node."""

    def __init__(
        self, client: Client, key: bytes, account: int, domain: bytes, clock: Callable[[], int]
    ) -> None:
        self.outcomes: Counter[str] = Counter()
        self._client = client
        self._key = key
        self._account = account
        self._domain = domain
        self._clock = clock
        self._sequence = client.account(account).request_sequence

    def look(self) -> int:
        """Look at all accounts once, offer and check what is due; return how many offers."""
        accounts = self._client.accounts(limit=ACCOUNTS_MAX)
        checks = self._checks(accounts)
        if checks:
            self._count(self._client.submit(checks))
        wanted = offers(accounts, self._account)
        for first in range(0, len(wanted), OFFERS_PER_SUBMISSION):
            self._submit(wanted[first : first + OFFERS_PER_SUBMISSION])
        return len(wanted)

    def _checks(self, accounts: Sequence[pb.Account]) -> list[Request]:
        params = params_record(self._client.params().record)
        if not int(params["owner_group_ppm"]):
            return []
        caps = {one.id: one.position_cap_lots for one in self._client.instruments()}
        # Half a hold early, so that it does not lapse between two looks.
        until = self._clock() + int(params["owner_hold_ms"]) // 2
        return checks(accounts, caps, int(params["owner_group_ppm"]), until)[:OFFERS_PER_SUBMISSION]

    def _submit(self, wanted: Sequence[Offer]) -> None:
        self._count(self._client.submit([self._signed(offer) for offer in wanted]))

    def _count(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            name = outcome.code.name
            if outcome.code not in EXPECTED and not self.outcomes[name]:
                print(f"keeper: {name}: {outcome.message}", file=sys.stderr, flush=True)
            self.outcomes[name] += 1

    def _signed(self, offer: Offer) -> Liquidate:
        self._sequence += 1
        bare = Liquidate(
            keeper=self._account,
            account=offer.account,
            instrument=offer.instrument,
            lots=offer.lots,
            sequence=self._sequence,
            expiry=self._clock() + OFFER_LIFE_MS,
        )
        digest = eip712.digest(self._domain, bare.struct_hash())
        return replace(bare, signature=sign(self._key, digest))


def run(
    config: str | os.PathLike[str] | None = None, flags: Mapping[str, Any] | None = None
) -> int:
    """Keep by a TOML file and flags (`section.key`) until a signal; return the exit code."""
    loaded = load(KeeperConfig, config, flags=flags).config
    stop = stop_on_signals()
    try:
        with Client(
            loaded.keeper.node, deadline=deadline_seconds(loaded.clock, DEADLINE_SECONDS)
        ) as client:
            keeper = Keeper(
                client,
                load_key(loaded.keeper.key_file),
                loaded.keeper.account,
                client.info().domain_separator,
                law_clock(loaded.clock),
            )
            _keep(keeper, loaded.keeper.interval_ms / 1000, stop)
    except NovatioError as error:
        print(f"keeper: {error}; next: {error.next_step}", file=sys.stderr)
        return error.exit_code
    summary = ", ".join(f"{name} {count}" for name, count in sorted(keeper.outcomes.items()))
    print(f"keeper: {summary or 'nothing to liquidate'}", file=sys.stderr)
    return 0


def _keep(keeper: Keeper, pause_seconds: float, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            keeper.look()
        except (Overloaded, Unavailable) as error:
            print(f"keeper: {error}", file=sys.stderr, flush=True)
        stop.wait(pause_seconds)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1]))
