"""The ``novatio`` command: nouns and verbs, tables and JSON, exit codes that scripts can trust.

0 ok, 1 error, 2 usage or configuration, 3 not found, 4 rejected by the law, 5 nobody answered (the
outcome of a submission is unknown), 6 verification failed, 7 corrupt data.
"""

from novatio.cli import (
    account,
    asset,
    batch,
    bond,
    call,
    committee,
    config,
    dispute,
    exit,
    feed,
    freeze,
    governance,
    heads,
    inbox,
    inspect,
    instrument,
    key,
    law,
    operator,
    pool,
    process,
    provability,
    receipt,
    report,
    root,
    sim,
    state,
    statement,
    stress,
    trade,
    watch,
    withdraw,
)
from novatio.cli._app import Main

__all__ = ["main"]

main = Main(
    "novatio",
    help="A clearing house whose every step can be proven wrong by anyone.\n\n"
    "Exit codes: 0 ok, 1 error, 2 usage or configuration, 3 not found, 4 rejected by the law, "
    "5 no answer (outcome unknown), 6 verification failed, 7 corrupt data.",
)
for module in (
    account, asset, batch, bond, call, committee, config, dispute, exit, feed, freeze, governance,
    heads, inbox, inspect, instrument, key, law, operator, pool, process, provability, receipt,
    report, root, sim, state, statement, stress, trade, watch, withdraw,
):  # fmt: skip
    for command in module.COMMANDS:
        main.add_command(command)
