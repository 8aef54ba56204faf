"""Whose columns a file has: a module each, which says where our fields stand in it."""

from recon.settlements.formats.layout import FIELDS, Layout, Word
from recon.settlements.formats.recognise import delimiters, recognise

__all__ = ["FIELDS", "Layout", "Word", "delimiters", "recognise"]
