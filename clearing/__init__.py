"""The law: pure, integer, deterministic transition of the clearing state."""
