"""Tests of what both Spaces share."""
