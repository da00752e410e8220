"""Dated facts about AWS: instance types, prices."""
