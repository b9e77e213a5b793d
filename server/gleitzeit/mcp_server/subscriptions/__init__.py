"""Telling clients what has changed."""
