"""Tests of the Seed Space."""
