"""The demo: a small world that trades through a crash, is defrauded, and recovers."""
