"""EventBridge's operations: moto's responses, corrected; refuses what moto would only record."""

from __future__ import annotations

import json
from typing import Any

from moto.events.exceptions import ValidationException
from moto.events.models import EventPattern
from moto.events.responses import EventsHandler

REQUIRED = ("id", "account", "source", "time", "region", "resources", "detail-type")


class EmbeddedEventsResponse(EventsHandler):
    """moto's responses, with ours in front."""

    def test_event_pattern(self) -> Any:
        try:
            event = json.loads(self._get_param("Event"))
        except ValueError:
            raise ValidationException("Parameter Event is not valid.") from None
        missing = [name for name in REQUIRED if name not in event]
        if missing:
            raise ValidationException(f"Parameter Event is not valid. Missing: {', '.join(missing)}.")
        pattern = EventPattern.load(self._get_param("EventPattern"))
        return self._create_response({"Result": pattern.matches_event(event)})

    def create_archive(self) -> Any:
        raise NotImplementedError("CreateArchive")

    def start_replay(self) -> Any:
        raise NotImplementedError("StartReplay")
