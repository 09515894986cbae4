"""Exam questions out of documents."""
