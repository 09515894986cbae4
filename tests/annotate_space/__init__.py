"""Tests of annotate_space."""
