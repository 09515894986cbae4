"""Tests of Seedbed, and the loopback servers they run against."""
