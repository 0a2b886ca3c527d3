"""The court, and the base layer that is simulated around it.

What is deployed is the contract with the proofs that it checks. It runs the same law as the node
(`clearing`) on the witness it is handed; it knows neither the node nor the prover, and of a base
layer only what `host` names. In reading order, nothing using what stands below it (import-linter
holds it to that; who wants to know first what the court does begins at its end):

    errors, codec                         codes of refusals; how records are written as bytes
    host                                  storage, balances, gas, calls: what a base layer gives
    multiproof                            the trees, and what proves a leaf of one
    header, batch, batches                what is posted, and what is kept of it
    bls, committee                        who holds step bytes that are not posted
    read_set, witness_leaves, witness_state, evidence    BAD_STEP: the law run on what a step reads
    receipts                              BROKEN_RECEIPT: what a sequencer signed against its posts
    account_leaf, exit_leaves, exit_claim, exit_opening    what an exit opens, and its worth
    config, events                        what is decided at deployment; what calls announce
    bonds, rewards, stakes, withheld      the money of the court's own game
    inbox, escrow, exit                   the customers' money: in, out, and out of a frozen house
    registry, freeze, guardian, laws      who may do what, when, and under which law
    posting, state, court                 what may be posted; what is known; every call

Not deployed: `base`, the simulated chain that executes the court, with its service, and
`account_proof`, which clients check.
"""
