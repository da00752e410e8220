"""The AWS services, one folder each, under AWS's names."""
