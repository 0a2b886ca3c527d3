"""The court: the settlement contract's rules and the evidence that it accepts.

Batches, bonds, challenge windows, exits, the checking of multiproofs, and the simulated base layer
live here. The court runs the same law as the node (`clearing`) on the witness it is handed; it
knows neither the node nor the prover.
"""
