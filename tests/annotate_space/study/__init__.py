"""Tests of the process that studies the project."""
