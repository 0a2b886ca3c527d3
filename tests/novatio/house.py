"""A whole small house on loopback: simulated base layer, node, and two traders with accounts."""

import contextlib
import threading
import time
from dataclasses import replace

from click.testing import CliRunner

from clearing.genesis import Genesis, GenesisInstrument, GenesisTier
from clearing.keys import address_of
from node.committee import connect
from node.config import (
    BaseSection,
    BatchSection,
    CommitteeSection,
    Config,
    LimitsSection,
    NodeSection,
    genesis_text,
)
from node.runner import Node
from novatio import Client, LocalSigner
from novatio.base import send, wait_for
from novatio.cli import main
from prover.challenger_process import ChallengerProcess
from prover.engine import Engine
from prover.replica import Replica
from verifier.base.chain import SimulatedChain
from verifier.base.errors import BaseLayerUnavailable, BlockUnknown
from verifier.base.remote import RemoteBaseLayer
from verifier.base.service import BaseLayerServer, SteppedClock
from verifier.base.transactions import Deposit, Faucet
from verifier.config import CourtConfig

SEQUENCER, CHALLENGER, PUBLISHER, SELLER, BUYER = (bytes([7] * 31 + [n]) for n in range(1, 6))
GOVERNANCE, GUARDIAN = (bytes([7] * 31 + [n]) for n in range(6, 8))
SETTLEMENT = b"\x5e" * 20
CASH_MICRO = 10**12
WAIT_SECONDS = 60
DEADLINE_SECONDS = 20.0


def now_ms():
    return time.time_ns() // 1_000_000


def genesis():
    return Genesis(
        chain_id=31_337,
        settlement=SETTLEMENT,
        time_ms=now_ms(),
        publishers=(address_of(PUBLISHER),),
        price_quorum=1,
        tiers=(GenesisTier(100_000, 50_000, 1 << 60, 1 << 61),),
        # A lot is 0.001 BTC, a tick 0.01 a BTC.
        instruments=(GenesisInstrument("BTC-PERP", 0, 10, 1_000_000, 1 << 40, 1 << 40),),
        price_stale_open_ms=3_600_000,
        governance=address_of(GOVERNANCE),
        guardian=address_of(GUARDIAN),
        timelock_ms=1,
    )


class House:
    """Everything in this process; ``cli`` runs the command against it."""

    def __init__(self, directory, declared=None, members="", **changes):
        self.directory = directory
        self.genesis = declared or genesis()
        (directory / "genesis.json").write_text(genesis_text(self.genesis))
        court = CourtConfig.test(
            chain_id=self.genesis.chain_id,
            settlement=SETTLEMENT,
            sequencer=address_of(SEQUENCER),
        )
        court = replace(court, **changes)
        self.members = CommitteeSection(members=members)
        clock = SteppedClock(now_ms)
        chain = SimulatedChain(court, Engine(self.genesis).opening(), clock=clock)
        self.base_server = BaseLayerServer(chain, clock, block_time_ms=20)
        self.base_server.start()
        self.base = RemoteBaseLayer(self.base_server.address)
        for key in (SEQUENCER, CHALLENGER):
            self.send(key, Faucet(address_of(key), 10**15, 0))
        self.data = directory / "data"
        config = Config(
            node=NodeSection(data_dir=str(self.data), listen="127.0.0.1:0"),
            limits=LimitsSection(request_actions_max=64, request_bytes_max=1 << 16),
            batch=BatchSection(
                steps_max=512, frame_actions_max=128, inbox_per_frame_max=32, interval_ms=200
            ),
            base=BaseSection(address=self.base_server.address, poll_ms=20),
            committee=self.members,
        )
        self.node = Node(config, self.genesis, SEQUENCER, self.base)
        self.node.start()
        self.client = Client(self.node.address, key=SELLER, deadline=DEADLINE_SECONDS)
        self.stopping = threading.Event()
        self.challenger = threading.Thread(target=self._challenge, daemon=True)
        self.challenger.start()

    def _challenge(self):
        base = RemoteBaseLayer(self.base_server.address)
        members = connect(self.members, base.config().committee)
        process = ChallengerProcess(base, Replica(self.genesis), CHALLENGER, members=members)
        while not self.stopping.wait(0.05):
            # What the challenger's process does too: both ask for another look.
            with contextlib.suppress(BaseLayerUnavailable, BlockUnknown):
                process.tick()
        if members is not None:
            members.close()
        base.close()

    def send(self, key, body):
        signer = LocalSigner(key)
        return wait_for(self.base, send(self.base, signer, body), WAIT_SECONDS)

    def open_accounts(self):
        """Give both traders an account, 0 and 1, and the market a price."""
        for key in (SELLER, BUYER):
            self.send(key, Faucet(address_of(key), 10**12, CASH_MICRO))
            self.send(key, Deposit(address_of(key), 0, 0, CASH_MICRO))
        self.until(lambda: self.client.heads().inbox_consumed == 2)
        self.publish("4000")

    def publish(self, price):
        seen = self.client.observation("BTC-PERP", price, price, signer=LocalSigner(PUBLISHER))
        [outcome] = self.client.submit([self.client.price("BTC-PERP", [seen])])
        outcome.raise_for_rejection()

    def until(self, holds):
        end = time.monotonic() + WAIT_SECONDS
        while not holds():
            assert time.monotonic() < end, "the house did not get there"
            time.sleep(0.02)

    def key_file(self, key):
        path = self.directory / f"{key[-1]}.key"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(key.hex())
        return str(path)

    def settings(self):
        path = self.directory / "client.toml"
        path.write_text(
            "[client]\n"
            f'node = "{self.node.address}"\nbase = "{self.base_server.address}"\n'
            'genesis = "genesis.json"\ndeadline_ms = 20000\n'
            f'[committee]\nmembers = "{self.members.members}"\n'
        )
        return str(path)

    def cli(self, *arguments, key=None, text=None):
        options = ["--config", self.settings()]
        if key is not None:
            options += ["--key", self.key_file(key)]
        return CliRunner().invoke(main, [*options, *map(str, arguments)], input=text)

    def stop(self):
        self.stopping.set()
        self.challenger.join()
        self.client.close()
        self.node.stop()
        self.base.close()
        self.base_server.stop()
