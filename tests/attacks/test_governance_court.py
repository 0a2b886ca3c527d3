"""Keys and governance before the court: every outcome acquits if honest and convicts if forged."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from clearing.codes import Code, InstrumentKind, InstrumentStatus, Kind, Scope
from clearing.forms import FORMS
from clearing.genesis import GenesisAsset, GenesisUnderlying
from clearing.keccak import pieces
from clearing.keys import address_of
from clearing.layout import pieces_of
from clearing.requests import Request
from clearing.units import KEYS_MAX
from prover.engine import Engine
from prover.forge import BatchForge, Place
from prover.witness import build_evidence
from tests.prover.market import NEVER, PROPOSER, START_MS, Market, columns_of, key_of
from verifier.batch import Pair
from verifier.evidence import check_bad_step

PLACE = Place(0, 1, b"\x01" * 32, 9, b"\x02" * 32, PROPOSER)
GOVERNANCE, GUARDIAN, ROBOT, NEW_OWNER, MALLORY = 800, 801, 802, 803, 804
TIMELOCK_MS = 1_000
EXPIRY = START_MS + 10**9
MARKETS = 3
EVERYTHING = int(Scope.TRADE | Scope.CANCEL | Scope.TRANSFER | Scope.KEEPER)


class Court:
    """Two engines with the same history, one batch on top, and the court's verdict on its step."""

    def __init__(self):
        self.market = Market(MARKETS)
        self.market.genesis = replace(
            self.market.genesis,
            governance=address_of(key_of(GOVERNANCE)),
            guardian=address_of(key_of(GUARDIAN)),
            timelock_ms=TIMELOCK_MS,
            underlyings=(GenesisUnderlying(expiries=(EXPIRY,)), GenesisUnderlying()),
            assets=(GenesisAsset(100_000, 50_000, 10**12, 10**9),),
        )
        self.time = START_MS
        self.engines = [Engine(self.market.genesis, accounts_capacity=4) for _ in range(2)]
        self.run(*self.market.opening())

    def run(self, *actions):
        """Make the actions history."""
        for engine in self.engines:
            engine.advance(columns_of(engine, actions), self.time)

    def step(self, *actions):
        """Put one step to the court, honest and forged; return the codes."""
        before, engine = self.engines
        forge = BatchForge(engine)
        codes = forge.honest(list(actions), self.time).codes.tolist()
        (step,) = forge.steps
        header = forge.finish(PLACE).header
        built = build_evidence(before, header, forge.pairs, 0, step.encode())
        assert check_bad_step(header, built.encode()) is False
        forge.pairs[0] = Pair(forge.pairs[0].step_hash, b"\x99" * 32)
        header = forge.finish(PLACE).header
        built = build_evidence(before, header, forge.pairs, 0, step.encode())
        assert check_bad_step(header, built.encode()) is True
        before.advance(columns_of(before, actions), self.time)
        assert before.root() == engine.root()
        return [Code(code) for code in codes]

    def request(self, kind, signer=None, payload=(), **fields):
        """An action of a form, signed by at most one."""
        if "sequence" in [field.name for field in FORMS[kind].fields]:
            fields.setdefault("sequence", self.market.fresh())
        action = Request.of(kind, payload=payload, signatures=(), **fields)
        if signer is None:
            return action.encode()
        signature = self.market.signature(signer, action.struct_hash())
        return replace(action, signatures=(signature,)).encode()

    def key_request(self, kind, signer, name=ROBOT, account=0, **fields):
        number = int.from_bytes(address_of(key_of(name)), "big") if name else 0
        fields = {"account": account, "key": number, "expiry": NEVER} | fields
        return self.request(kind, signer, **fields)

    def grant(self, signer=0, name=ROBOT, scope=EVERYTHING, limit=10**15, **fields):
        terms = {"first_instrument": 0, "last_instrument": 9, "key_expiry": NEVER}
        return self.key_request(
            Kind.KEY_GRANT, signer, name, scope=scope, limit=limit, **(terms | fields)
        )

    def params(self, **numbers):
        record = np.copy(cast(Any, self.engines[0].state.params)).view(np.recarray)
        record[0].version += 1
        record[0].pending_time = 0
        record[0].pending_hash = 0
        for name, number in numbers.items():
            record[0][name] = number
        return pieces_of(record)[0].tolist()

    def listing(self, signer=GOVERNANCE, instrument=MARKETS, underlying=0, **terms):
        numbers = {
            "kind": int(InstrumentKind.CALL),
            "tier": 0,
            "series": 0,
            "expiry": EXPIRY,
            "strike": 5,
            "tick": 1,
            "lot_size": 1,
            "open_interest_cap": 9,
            "position_cap": 9,
            "pool": 0,
        } | terms
        payload = [*numbers.values(), *pieces(b"NEW".ljust(32, b"\0")).tolist()]
        return self.request(
            Kind.LIST, signer, payload, instrument=instrument, underlying=underlying
        )

    def change(self, signer=GOVERNANCE, instrument=0, **terms):
        fields = {"status": 0, "tier": 0, "open_interest_cap": 10**9, "position_cap": 10**9}
        return self.request(Kind.SET_MARKET, signer, instrument=instrument, **(fields | terms))

    def asset(self, signer=GOVERNANCE, asset=1, haircut=100_000, scale=10**9):
        payload = (0, haircut, 50_000, scale, 10**12, 0, 20_000, 0)
        return self.request(Kind.SET_ASSET, signer, payload, asset=asset)


def nothing(court):
    return court


def granted(court):
    court.run(court.grant())


def crowded(court):
    court.run(*(court.grant(name=900 + i) for i in range(KEYS_MAX)))


def rotated(court):
    court.run(court.key_request(Kind.ROTATE_KEY, 0, NEW_OWNER))


def held(court):
    court.run(court.market.trade(0, 1))


def listed(court):
    court.run(court.listing())


def halted(court):
    court.run(court.request(Kind.HALT, GOVERNANCE))


def announced(court):
    court.announced = court.params(price_band_ppm=60_000)
    court.run(court.request(Kind.SET_PARAMS, GOVERNANCE, court.announced))


def matured(court):
    announced(court)
    court.time += TIMELOCK_MS


def changed_asset(court):
    court.run(court.asset(haircut=110_000))


def announce(**numbers):
    return lambda c: c.request(Kind.SET_PARAMS, GOVERNANCE, c.params(**numbers))


def old_sequence(kind, **fields):
    return lambda c: c.request(kind, GOVERNANCE, sequence=1, **fields)


CASES = [
    (nothing, lambda c: c.grant(), Code.APPLIED),
    (granted, lambda c: c.grant(scope=1), Code.APPLIED),
    (nothing, lambda c: c.grant(account=99), Code.NO_ACCOUNT),
    (nothing, lambda c: c.grant(expiry=1), Code.EXPIRED),
    (nothing, lambda c: c.grant(MALLORY), Code.BAD_SIGNATURE),
    (granted, lambda c: c.grant(sequence=1), Code.STALE_SEQUENCE),
    (nothing, lambda c: c.grant(name=None), Code.KEY_SCOPE),
    (granted, lambda c: c.grant(ROBOT, name=900), Code.KEY_SCOPE),
    (crowded, lambda c: c.grant(), Code.KEY_SLOTS),
    (granted, lambda c: c.key_request(Kind.KEY_REVOKE, 0), Code.APPLIED),
    (crowded, lambda c: c.key_request(Kind.KEY_REVOKE, 0, 901), Code.APPLIED),
    (nothing, lambda c: c.key_request(Kind.KEY_REVOKE, 0), Code.KEY_SLOTS),
    (rotated, lambda c: c.key_request(Kind.KEY_REVOKE, NEW_OWNER, NEW_OWNER), Code.KEY_SCOPE),
    (granted, lambda c: c.key_request(Kind.ROTATE_KEY, 0, NEW_OWNER), Code.APPLIED),
    (rotated, lambda c: c.key_request(Kind.ROTATE_KEY, 0, ROBOT), Code.BAD_SIGNATURE),
    (granted, lambda c: c.market.trade(0, 1, signers=(ROBOT, 1)), Code.APPLIED),
    (rotated, lambda c: c.market.trade(0, 1), Code.BAD_SIGNATURE),
    (rotated, lambda c: c.market.withdraw(0, signer=NEW_OWNER), Code.APPLIED),
    (granted, lambda c: c.market.withdraw(0, signer=ROBOT), Code.KEY_SCOPE),
    (
        lambda c: c.run(c.grant(limit=1)),
        lambda c: c.market.trade(0, 1, signers=(ROBOT, 1)),
        Code.KEY_CAP,
    ),
    (nothing, announce(price_band_ppm=60_000), Code.APPLIED),
    (announced, announce(price_band_ppm=55_000), Code.APPLIED),
    (nothing, announce(price_band_ppm=90_000), Code.PARAMETER_STEP),
    (nothing, announce(price_quorum=0), Code.PARAMETER_BOUND),
    (nothing, lambda c: c.request(Kind.SET_PARAMS, GUARDIAN, c.params()), Code.BAD_SIGNATURE),
    (
        announced,
        lambda c: c.request(Kind.SET_PARAMS, GOVERNANCE, c.params(), sequence=1),
        Code.STALE_SEQUENCE,
    ),
    (matured, lambda c: c.request(Kind.ENACT, payload=c.announced), Code.APPLIED),
    (matured, lambda c: c.request(Kind.ENACT, payload=c.params()), Code.TIMELOCK),
    (announced, lambda c: c.request(Kind.ENACT, payload=c.announced), Code.TIMELOCK),
    (nothing, lambda c: c.request(Kind.HALT, GOVERNANCE), Code.APPLIED),
    (
        nothing,
        lambda c: c.request(Kind.HALT, GUARDIAN, sequence=1),
        Code.APPLIED,
    ),
    (nothing, lambda c: c.request(Kind.HALT, MALLORY), Code.BAD_SIGNATURE),
    (halted, lambda c: c.request(Kind.RESUME, GOVERNANCE), Code.APPLIED),
    (halted, old_sequence(Kind.RESUME), Code.STALE_SEQUENCE),
    (halted, lambda c: c.request(Kind.HALT, GOVERNANCE), Code.HALTED),
    (nothing, lambda c: c.listing(), Code.APPLIED),
    (nothing, lambda c: c.listing(kind=1, strike=0, expiry=0), Code.APPLIED),
    (nothing, lambda c: c.listing(underlying=1, series=3), Code.APPLIED),
    (listed, lambda c: c.listing(instrument=MARKETS + 1, strike=6), Code.APPLIED),
    (nothing, lambda c: c.listing(instrument=MARKETS + 1), Code.NO_INSTRUMENT),
    (nothing, lambda c: c.listing(GUARDIAN), Code.BAD_SIGNATURE),
    (nothing, lambda c: c.listing(underlying=2), Code.NO_UNDERLYING),
    (listed, lambda c: c.listing(instrument=MARKETS + 1, expiry=EXPIRY + 1), Code.NO_SERIES),
    (nothing, lambda c: c.listing(pool=1), Code.NO_POOL),
    (nothing, lambda c: c.listing(tick=0), Code.PARAMETER_BOUND),
    (held, lambda c: c.change(status=1, position_cap=1), Code.APPLIED),
    (nothing, lambda c: c.change(status=4, instrument=1), Code.APPLIED),
    (listed, lambda c: c.change(status=4, instrument=MARKETS), Code.APPLIED),
    (nothing, lambda c: c.change(GUARDIAN, status=1, sequence=1), Code.APPLIED),
    (nothing, lambda c: c.change(GUARDIAN), Code.BAD_SIGNATURE),
    (nothing, lambda c: c.change(instrument=77), Code.NO_INSTRUMENT),
    (held, lambda c: c.change(status=4), Code.INSTRUMENT_STATUS),
    (nothing, lambda c: c.change(tier=1), Code.PARAMETER_BOUND),
    (nothing, lambda c: c.asset(), Code.APPLIED),
    (nothing, lambda c: c.asset(haircut=110_000), Code.APPLIED),
    (nothing, lambda c: c.asset(asset=2), Code.APPLIED),
    (nothing, lambda c: c.asset(asset=3), Code.NO_ASSET),
    (nothing, lambda c: c.asset(GUARDIAN), Code.BAD_SIGNATURE),
    (nothing, lambda c: c.asset(scale=0), Code.PARAMETER_BOUND),
    (nothing, lambda c: c.asset(scale=2 * 10**9), Code.PARAMETER_STEP),
    (changed_asset, lambda c: c.asset(haircut=120_000), Code.TIMELOCK),
]


@pytest.mark.parametrize(
    ("history", "make", "expected"), CASES, ids=[f"{i}-{c[2].name}" for i, c in enumerate(CASES)]
)
def test_the_court_judges_as_the_engine_did(history, make, expected):
    court = Court()
    history(court)
    action = make(court)
    assert court.step(action) == [expected]


def test_a_listed_market_trades_in_the_same_step_and_closes_in_the_next():
    court = Court()
    terms = {"kind": 1, "strike": 0, "expiry": 0}
    market = court.market
    codes = court.step(
        court.listing(**terms),
        market.price(MARKETS),
        market.trade(0, 1, MARKETS),
        court.listing(instrument=MARKETS + 1, **terms),
        market.trade(1, 0, MARKETS),
    )
    assert codes == [Code.APPLIED] * 5
    assert court.step(court.change(instrument=MARKETS, status=4)) == [Code.APPLIED]


def test_a_batch_of_governance_rolls_back_to_the_root_before_it():
    court = Court()
    engine = court.engines[0]
    actions = [
        court.grant(),
        court.listing(),
        court.asset(asset=2),
        court.change(instrument=1, status=int(InstrumentStatus.CLOSED)),
        court.request(Kind.SET_PARAMS, GOVERNANCE, court.params(price_band_ppm=60_000)),
    ]
    columns = columns_of(engine, actions)
    roots = []
    for _ in range(2):
        before = engine.root()
        point = engine.checkpoint(columns)
        assert engine.advance(columns, court.time).codes.tolist() == [Code.APPLIED] * 5
        roots.append(engine.root())
        engine.rollback(point)
        assert engine.root() == before
        engine.rebuild()
        assert engine.root() == before
    assert roots[0] == roots[1] != before


def test_the_withdrawal_of_a_rotated_account_names_the_new_key_in_the_claim():
    court = Court()
    rotated(court)
    assert court.step(court.market.withdraw(0, signer=NEW_OWNER)) == [Code.APPLIED]
    claim = cast(Any, court.engines[0].state.withdrawals)[0]
    assert claim.recipient.tolist() == pieces(bytes(12) + address_of(key_of(NEW_OWNER))).tolist()
