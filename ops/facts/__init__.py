"""Dated facts about AWS: images, instance types, prices, quotas."""
