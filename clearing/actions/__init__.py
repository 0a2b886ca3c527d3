"""One file per action: who signs, what must hold, what changes, and in which order it is judged."""
