"""IAM of the embedded AWS: every request is authenticated and authorized before moto sees it.

The parts, in the order a request meets them: `authenticate` (signatures), `request` (operation and parameters),
`checks` and `objects` (actions and resources), `evaluate` (policies), `decisions` (their record), `errors` (refusals).
"""
