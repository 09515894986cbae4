"""The sections of the benchmark of annotation; ``../annotate.py`` runs them."""
