"""Measured against real processes, and against others that do the same work."""
