"""Exam questions out of documents: one right answer, three wrong ones, and where it stands."""
