"""A whole world in one thread on a seed: node, base layer, challenger, traders, and faults.

Everything here is the real code but the outermost shell: the sequencer, its log on a simulated
disk, the poster, the court on the simulated base layer, and the challenger. Time is a number, and
the order of events is drawn from the seed, so a seed that fails once fails for ever.
"""
