"""What the benchmark of curation runs in processes of its own."""
