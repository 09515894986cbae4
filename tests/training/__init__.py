"""Real trainers on real exports; run by tests/training/run in an environment of their own."""
