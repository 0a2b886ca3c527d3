"""`python -m bench`: print the goals table and write bench/latest.json."""

from __future__ import annotations

import argparse
import sys

from bench import kernels, pipeline, proofs, service
from bench.table import machine, save, show
from node.runner import SWITCH_SECONDS


def main() -> int:
    """Measure, print, save. Always exits 0: a bench is never a test."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--accounts", type=int, default=100_000, help="accounts in the state")
    parser.add_argument("--positions", type=int, default=5, help="positions of each account")
    parser.add_argument("--trades", type=int, default=16_384, help="trades of one pipeline run")
    parser.add_argument("--only", choices=["kernels", "pipeline", "proofs", "service"])
    chosen = parser.parse_args()
    sys.setswitchinterval(SWITCH_SECONDS)  # as the node does
    rows = []
    if chosen.only in (None, "pipeline"):
        rows += pipeline.rows(chosen.accounts, chosen.positions, chosen.trades)
    if chosen.only in (None, "service"):
        rows += service.rows(rows)
    if chosen.only in (None, "kernels"):
        rows += kernels.rows()
    if chosen.only in (None, "proofs"):
        rows += proofs.rows()
    print(show(rows))
    print(f"\n{machine()}")
    save(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
