"""The two phases of an exit: claims are filed, then paid, so that no order of exits wins.

What is there of each asset is fixed when the exit begins. Claims that are filed in time share it by
class: seniors first, up to whole, then juniors; what the quote escrow lacks is paid in seized units
of collateral. What remains is the surplus: late claims share it by class once they are closed too,
and when the exit ends the beneficiary gets the rest. For every asset, always:
paid + left = escrow of the exit.
Rules: docs/protocol.md, section 11.
"""

from __future__ import annotations

from typing import NamedTuple

from clearing.units import ASSETS_MAX, SETTLEMENT_ASSET
from verifier.errors import CourtError, refused, require
from verifier.exit_claim import ExitTerms, Worth, value_of
from verifier.host.storage import Cell, Table, UndoLog

Amounts = tuple[int, ...]  # units by asset


class FiledClaim(NamedTuple):
    """A claim and what became of it; `paid` is by asset, empty before the payment."""

    worth: Worth
    late: bool
    paid: Amounts


class Share(NamedTuple):
    """What a class gets in all: micro-quote, and micro-quote's worth of seized units."""

    total: int
    quote: int
    units_value: int


class Split(NamedTuple):
    """How what is there is shared: by the seniors, by the juniors; `seized_value` micro-quote."""

    senior: Share
    junior: Share
    seized_value: int


class ExitTotals(NamedTuple):
    """The sums of an exit. `escrow`, `paid` and `left` are by asset: escrow = paid + left."""

    escrow: Amounts
    paid: Amounts
    left: Amounts
    seized: Amounts
    senior: int
    junior: int
    claims: int
    claims_paid: int


_NOTHING: Amounts = (0,) * ASSETS_MAX


class Exit:
    """Claims and payments of the one exit that a court can have."""

    def __init__(self, log: UndoLog) -> None:
        self._terms: Cell[ExitTerms | None] = Cell(log, None)
        self._claims: Table[int, FiledClaim] = Table(log)
        self._count: Cell[int] = Cell(log, 0)
        self._count_paid: Cell[int] = Cell(log, 0)
        self._escrow: Cell[Amounts] = Cell(log, _NOTHING)
        self._paid: Cell[Amounts] = Cell(log, _NOTHING)  # to owners and the beneficiary
        self._senior: Cell[int] = Cell(log, 0)
        self._junior: Cell[int] = Cell(log, 0)
        self._home: Cell[Amounts] = Cell(log, _NOTHING)  # units promised in kind, in time
        self._seized: Cell[Amounts] = Cell(log, _NOTHING)  # units that claims in time cost
        self._late_senior: Cell[int] = Cell(log, 0)
        self._late_junior: Cell[int] = Cell(log, 0)
        self._late_home: Cell[Amounts] = Cell(log, _NOTHING)
        self._pots: Table[int, Amounts] = Table(log)  # paid to a pool, for its shares
        self._pots_left: Table[int, Amounts] = Table(log)

    @property
    def begun(self) -> bool:
        """Whether the exit has begun."""
        return self._terms.value is not None

    @property
    def terms(self) -> ExitTerms:
        """What was fixed when the exit began. Raises Refused(NO_EXIT) before."""
        if self._terms.value is None:
            raise refused(CourtError.NO_EXIT)
        return self._terms.value

    def begin(self, terms: ExitTerms, escrow: Amounts) -> None:
        """Begin with what is there of each asset. Raises Refused(EXIT_BEGUN)."""
        require(not self.begun, CourtError.EXIT_BEGUN)
        self._terms.value = terms
        self._escrow.value = escrow

    def file(self, worth: Worth, block: int) -> FiledClaim:
        """Take a claim in, once per account, until late ones are closed too.

        Raises Refused(NO_EXIT, EXIT_ENDED or ALREADY_FILED).
        """
        terms = self.terms
        require(block <= terms.late_close, CourtError.EXIT_ENDED, terms.late_close, block)
        require(worth.account not in self._claims, CourtError.ALREADY_FILED, worth.account)
        claim = FiledClaim(worth, block > terms.claims_close, ())
        self._claims[worth.account] = claim
        self._count.value += 1
        if not claim.late:
            self._senior.value += worth.senior
            self._junior.value += worth.junior
            self._home.value = _plus(self._home.value, dict(worth.home))
            self._seized.value = _plus(self._seized.value, dict(worth.seized))
        else:
            self._late_senior.value += worth.senior
            self._late_junior.value += worth.junior
            self._late_home.value = _plus(self._late_home.value, dict(worth.home))
        return claim

    def pay(self, account: int, block: int) -> tuple[Worth, Amounts]:
        """Mark a claim as paid; return it and what leaves to its recipient, by asset.

        Nobody is paid while claims like his are filed, so all of them are known.

        What an account of a pool gets stays here, for the shares of the pool. Raises
        Refused(NO_EXIT, EXIT_ENDED, CLAIMS_OPEN, NO_SUCH_CLAIM, ALREADY_PAID or POOL_UNPAID).
        """
        terms = self._going(block)
        claim = self._unpaid(account)
        closes = terms.late_close if claim.late else terms.claims_close
        require(block > closes, CourtError.CLAIMS_OPEN, closes, block)
        due = self._due(claim)
        pool = self._pool_of(account)
        if pool is None:
            leaving = _sum(due, self._shares_due(claim.worth))
            self._paid.value = _sum(self._paid.value, leaving)
        else:
            leaving = _NOTHING
            self._pots[pool] = _sum(self._pots.get(pool) or _NOTHING, due)
            self._pots_left[pool] = _sum(self._pots_left.get(pool) or _NOTHING, due)
        self._claims[account] = claim._replace(paid=leaving if pool is None else due)
        self._count_paid.value += 1
        return claim.worth, leaving

    def take_rest(self, asset: int, block: int) -> int:
        """Take what is left of an asset once the exit has ended.

        Raises Refused(NO_EXIT, EXIT_NOT_ENDED or NO_SURPLUS).
        """
        ends = self.terms.ends
        require(block > ends, CourtError.EXIT_NOT_ENDED, ends, block)
        rest = self.totals().left[asset] if 0 <= asset < ASSETS_MAX else 0
        require(rest != 0, CourtError.NO_SURPLUS, asset)
        self._paid.value = _plus(self._paid.value, {asset: rest})
        return rest

    # Views

    def claim(self, account: int) -> FiledClaim | None:
        """Return the claim of an account, or None."""
        return self._claims.get(account)

    def totals(self) -> ExitTotals:
        """Return the sums; zeros before the exit."""
        escrow, paid = self._escrow.value, self._paid.value
        return ExitTotals(
            escrow,
            paid,
            tuple(there - gone for there, gone in zip(escrow, paid, strict=True)),
            self._seized.value,
            self._senior.value,
            self._junior.value,
            self._count.value,
            self._count_paid.value,
        )

    def split(self) -> Split:
        """Return how the claims that were filed in time share what is there."""
        senior, junior = self._senior.value, self._junior.value
        quote = self._escrow.value[SETTLEMENT_ASSET]
        prices = [asset.price for asset in self.terms.assets]
        units = zip(self._seized.value[: len(prices)], prices, strict=True)
        seized_value = sum(value_of(amount, price) for amount, price in units)
        # Seniors take quote first, and what it lacks in seized units; juniors what is left of both.
        first = min(senior, quote)
        first_units = min(senior - first, seized_value)
        whole = first + first_units == senior
        second = min(junior, quote - first) if whole else 0
        second_units = min(junior - second, seized_value - first_units) if whole else 0
        return Split(
            Share(senior, first, first_units), Share(junior, second, second_units), seized_value
        )

    # Parts

    def _going(self, block: int) -> ExitTerms:
        terms = self.terms
        require(block <= terms.ends, CourtError.EXIT_ENDED, terms.ends, block)
        return terms

    def _unpaid(self, account: int) -> FiledClaim:
        claim = self._claims.get(account)
        if claim is None:
            raise refused(CourtError.NO_SUCH_CLAIM, account)
        what = f"a claim of account {account}"
        require(not claim.paid, CourtError.ALREADY_PAID, what, "paid")
        return claim

    def _pool_of(self, account: int) -> int | None:
        for number, pool in enumerate(self.terms.pools):
            if account in (pool.account, pool.sleeve):
                return number
        return None

    def _due(self, claim: FiledClaim) -> Amounts:
        """Return what a claim gets by the fractions of its class, whoever was paid before."""
        worth, split = claim.worth, self.split()
        if claim.late:
            due = self._late_due(worth, split)
        else:
            due = _plus(_NOTHING, dict(worth.home))
            for amount, share in ((worth.senior, split.senior), (worth.junior, split.junior)):
                due = _sum(due, self._wanted(amount, share, split))
        # They are within what is there in every state that the law can make.
        return _least(due, self._unassigned())

    def _late_due(self, worth: Worth, split: Split) -> Amounts:
        """Return what a late claim gets of the surplus: what is at home, seniors, then juniors."""
        there, homes = self._surplus(split), self._late_home.value
        due = list(_NOTHING)
        for asset, units in worth.home:
            due[asset] = units * min(homes[asset], there[asset]) // max(homes[asset], 1)
        there = tuple(max(0, most - home) for most, home in zip(there, homes, strict=True))
        for amount, whole, share in (
            (worth.senior, self._late_senior.value, split.senior),
            (worth.junior, self._late_junior.value, split.junior),
        ):
            taken = _least(self._wanted(whole, share, split), there)
            for asset, units in enumerate(taken):
                due[asset] += units * amount // max(whole, 1)
            there = tuple(most - gone for most, gone in zip(there, taken, strict=True))
        return tuple(due)

    def _wanted(self, amount: int, share: Share, split: Split) -> Amounts:
        """Return what an amount of a class gets by the fractions of its claims in time.

        Where there were none of the class, it is the whole amount.
        """
        if share.total == 0:
            return _plus(_NOTHING, {SETTLEMENT_ASSET: amount})
        wanted = [0] * ASSETS_MAX
        wanted[SETTLEMENT_ASSET] = amount * share.quote // share.total
        for asset, units in enumerate(self._seized.value if share.units_value else ()):
            value = units * share.units_value * amount
            wanted[asset] += value // (split.seized_value * share.total)
        return tuple(wanted)

    def _surplus(self, split: Split) -> Amounts:
        """Return what was there of each asset beyond what claims in time get."""
        promised = list(self._home.value)
        promised[SETTLEMENT_ASSET] += split.senior.quote + split.junior.quote
        used = split.senior.units_value + split.junior.units_value
        for asset, units in enumerate(self._seized.value if used else ()):
            promised[asset] += -(-units * used // split.seized_value)
        return tuple(
            max(0, there - owed) for there, owed in zip(self._escrow.value, promised, strict=True)
        )

    def _unassigned(self) -> Amounts:
        """Return what is left of each asset and stands in no pool's pot."""
        left = self.totals().left
        for pool in range(len(self.terms.pools)):
            pot = self._pots_left.get(pool) or _NOTHING
            left = tuple(there - held for there, held in zip(left, pot, strict=True))
        return left

    def _shares_due(self, worth: Worth) -> Amounts:
        """Take what the account's shares of pools are worth out of what the pools were paid.

        Raises Refused(POOL_UNPAID) unless both accounts of each pool were paid.
        """
        total = _NOTHING
        for pool, shares in worth.shares:
            terms = self.terms.pools[pool]
            for account in (terms.account, terms.sleeve):
                claim = self._claims.get(account)
                paid = claim is not None and claim.paid != ()
                require(paid, CourtError.POOL_UNPAID, account, pool)
            whole = self._pots.get(pool) or _NOTHING
            left = self._pots_left.get(pool) or _NOTHING
            part = tuple(
                min(amount * shares // max(terms.shares, 1), there)
                for amount, there in zip(whole, left, strict=True)
            )
            self._pots_left[pool] = tuple(a - b for a, b in zip(left, part, strict=True))
            total = _sum(total, part)
        return total


def _sum(first: Amounts, second: Amounts) -> Amounts:
    return tuple(a + b for a, b in zip(first, second, strict=True))


def _least(first: Amounts, second: Amounts) -> Amounts:
    return tuple(min(a, b) for a, b in zip(first, second, strict=True))


def _plus(amounts: Amounts, more: dict[int, int]) -> Amounts:
    return tuple(amount + more.get(asset, 0) for asset, amount in enumerate(amounts))
