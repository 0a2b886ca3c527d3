"""The simulated base layer: it executes the court, orders what is sent to it, and serves what it
holds. Nobody deploys it.

Blocks, reorganisations and finality (`chain`), the encoding of calls (`transactions`), what waits
(`mempool`), the durable file (`chain_file`), the interface that everybody else programs against
(`interface`), and the same interface over gRPC (`service`, `remote`, `wire`).
"""
