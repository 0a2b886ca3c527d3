"""Whoever drives a sweep over a market: names its holders in order, keeps the hash stack."""

from dataclasses import dataclass, field
from typing import Any

from clearing.codes import Code, Kind, Operation, Phase, Tag
from clearing.keccak import pieces, tagged_hash
from clearing.units import SWEEP_ACCOUNTS_MAX

EMPTY = (0, 0, 0, 0)


def lots_of(account, instrument):
    """The signed lots of an account's row in one market."""
    held = account.positions[: account.position_count]
    return sum(int(one.lots) for one in held if one.instrument == instrument)


def holders(state, instrument, side):
    """The ids of who holds a side (+1 long, -1 short), from the highest down."""
    count = int(state.globals[0].account_count)
    found = [i for i in range(count) if lots_of(state.accounts[i], instrument) * side > 0]
    return found[::-1]


def stacked(previous, chunk):
    """The four pieces of H(SWEEP, previous || ids)."""
    words = b"".join(int(piece).to_bytes(8, "big", signed=True) for piece in (*previous, *chunk))
    return tuple(int(piece) for piece in pieces(tagged_hash(Tag.SWEEP, words)))


@dataclass
class Driver:
    """Drives one sweep through a world."""

    world: Any
    account: int
    instrument: int = 0
    size: int = SWEEP_ACCOUNTS_MAX
    stack: list = field(default_factory=list)  # (stack before the chunk, chunk)
    top: tuple = EMPTY

    def open(self, mode=Operation.DELEVERAGE):
        action = self.world.request(
            Kind.SWEEP_OPEN, instrument=self.instrument, account=self.account, mode=int(mode)
        )
        return self.world.apply(action)

    def tally_action(self, chunk):
        return self.world.request(Kind.SWEEP_TALLY, payload=chunk, instrument=self.instrument)

    def tally(self, chunk):
        return self.push(chunk, self.world.apply(self.tally_action(chunk)))

    def push(self, chunk, code):
        """Note that a chunk was tallied, if it was."""
        if code == Code.APPLIED:
            self.stack.append((self.top, tuple(chunk)))
            self.top = stacked(self.top, chunk)
        return code

    def tally_all(self):
        """Tally every holder that the sweep goes over."""
        market = self.world.instrument(self.instrument)
        while market.phase == Phase.TALLY:
            side, cursor = int(market.side), int(market.cursor)
            rest = [i for i in holders(self.world.state, self.instrument, side) if i < cursor]
            assert self.tally(rest[: self.size]) == Code.APPLIED

    def apply_action(self, chunk, previous):
        payload = (*reversed(chunk), *previous)
        fields = {"instrument": self.instrument, "account": self.account}
        return self.world.request(Kind.SWEEP_APPLY, payload=payload, **fields)

    def apply(self):
        """Apply the chunk on top of the stack."""
        previous, chunk = self.stack[-1]
        return self.pop(self.world.apply(self.apply_action(chunk, previous)))

    def pop(self, code):
        """Note that the chunk on top bore its shares, if it did."""
        if code == Code.APPLIED:
            self.top, _ = self.stack.pop()
        return code

    def apply_all(self):
        while self.stack:
            assert self.apply() == Code.APPLIED

    def close(self):
        fields = {"instrument": self.instrument, "account": self.account}
        return self.world.apply(self.world.request(Kind.SWEEP_CLOSE, **fields))

    def run(self, mode=Operation.DELEVERAGE):
        """Open, tally, apply and close."""
        assert self.open(mode) == Code.APPLIED
        self.tally_all()
        self.apply_all()
        assert self.close() == Code.APPLIED
