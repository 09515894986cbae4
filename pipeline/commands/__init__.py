"""The commands of the command line, one subject in each module; ``pipeline.cli`` runs them."""
