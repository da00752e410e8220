"""Custom checks of policies for checkov. Without this file, checkov silently loads none of them."""
