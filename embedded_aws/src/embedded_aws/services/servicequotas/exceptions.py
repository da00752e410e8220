"""Errors of Service Quotas."""

from __future__ import annotations

from moto.core.exceptions import ServiceException


class NoSuchResourceException(ServiceException):
    code = "NoSuchResourceException"


class IllegalArgumentException(ServiceException):
    code = "IllegalArgumentException"
