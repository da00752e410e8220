"""IAM in front of moto: authenticates and authorizes every request.

A request passes these modules in order: `authenticate` (signature), `request` (operation and parameters), `checks`
and `objects` (actions and resources), `evaluate` (policies), `decisions` (their record), `errors` (refusals).
"""
