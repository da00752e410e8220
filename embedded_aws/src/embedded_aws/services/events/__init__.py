"""Amazon EventBridge: events of services and of PutEvents reach the targets of the rules that match."""
