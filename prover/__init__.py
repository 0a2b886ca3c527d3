"""The evidence: the state tree, witnesses, fraud proofs, exit proofs and the challenger.

A challenger reads what was posted on the base layer, replays it through the law and turns the
first step whose root differs into one proof that the court (`verifier`) checks alone.
"""
