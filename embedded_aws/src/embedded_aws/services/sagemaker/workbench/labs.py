"""The JupyterLabs that run: started and ended in the background, watched for use, ended with the embedded AWS."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

from embedded_aws.iam.trust import RoleNotAssumable
from embedded_aws.processes.log_shipper import LogShipper, Stream
from embedded_aws.runtime import Runtime
from embedded_aws.services.sagemaker import roles
from embedded_aws.services.sagemaker.workbench.lab import Lab, NotStarted, Plan
from embedded_aws.services.sagemaker.workbench.tickets import Tickets

log = logging.getLogger(__name__)

LOOK_SECONDS = 60.0  # between looks at whether a lab is in use, over the time scale
LEAST_LOOK_SECONDS = 0.5

Failed = Callable[[NotStarted], None]


class Labs:
    """Of every notebook instance and application, by the name of its plan.

    states: to be held while a record's status is read and changed. tickets: presigned URLs that lead to them.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.states = threading.RLock()
        self.tickets = Tickets(runtime)
        self._labs: dict[str, Lab] = {}
        self._logs: LogShipper | None = None

    def check_role(self, role_arn: str, region: str) -> None:
        """Raises RoleNotAssumable if SageMaker cannot act as the role."""
        roles.assume(self.runtime, role_arn, region)

    def start(
        self,
        plan: Plan,
        group: str,
        ready: Callable[[], None],
        failed: Failed,
        idle: tuple[float, Callable[[], None]] | None = None,
    ) -> None:
        """Start one in the background, then call `ready`, or `failed` if it does not come up or ends unasked.

        group: of its logs. idle: minutes without use, over the time scale, and what to call then.
        """
        lab = Lab(plan, self.runtime, self._writer(plan, group))
        with self.states:
            self._labs[plan.name] = lab
        self._later(self._run, lab, ready, failed, idle)

    def end(self, name: str, done: Callable[[], None]) -> None:
        """End one in the background, then call `done`."""
        with self.states:
            lab = self._labs.pop(name, None)
        self._later(self._end, lab, done)

    def url(self, name: str) -> str | None:
        """Where a running one opens, or None."""
        with self.states:
            lab = self._labs.get(name)
        return lab.url if lab is not None else None

    def halt(self) -> None:
        """End them all: the embedded AWS ends. Records stay as they are, to be taken up by its next start."""
        with self.states:
            labs = list(self._labs.values())
            self._labs.clear()
        if labs:
            with ThreadPoolExecutor(len(labs)) as pool:
                list(pool.map(lambda lab: lab.end(), labs))
        if self._logs is not None:
            self._logs.flush()

    def _run(
        self,
        lab: Lab,
        ready: Callable[[], None],
        failed: Failed,
        idle: tuple[float, Callable[[], None]] | None,
    ) -> None:
        def lost(_: Lab) -> None:
            self._lost(lab, NotStarted("Its first process has ended."), failed)

        try:
            lab.start(lost)
        except (NotStarted, OSError, RoleNotAssumable) as error:
            reason = error if isinstance(error, NotStarted) else NotStarted(str(error))
            self._lost(lab, reason, failed)
            return
        with self.states:
            current = self._labs.get(lab.plan.name) is lab
            if current:
                ready()
        if not current:
            lab.end()  # meanwhile it was to end, or another has its place
            return
        self.runtime.changed()
        if idle is not None:
            self._watch(lab, *idle)

    def _watch(self, lab: Lab, minutes: float, sleep: Callable[[], None]) -> None:
        allowed = timedelta(minutes=minutes / self.runtime.time_scale)
        look = max(LOOK_SECONDS / self.runtime.time_scale, LEAST_LOOK_SECONDS)
        while not lab.over.wait(look):
            try:
                used = lab.last_use()
            except OSError:
                continue  # it is being started again
            if datetime.now(timezone.utc) - used >= allowed:
                log.info("%s has been idle for %s", lab.plan.name, allowed)
                sleep()
                return

    def _lost(self, lab: Lab, reason: NotStarted, failed: Failed) -> None:
        with self.states:
            if self._labs.get(lab.plan.name) is not lab:
                return  # by a request, or by the end of the embedded AWS
            del self._labs[lab.plan.name]
        lab.end()
        if self.runtime.stopping.is_set():
            return
        with self.states:
            failed(reason)
        self.runtime.changed()

    def _end(self, lab: Lab | None, done: Callable[[], None]) -> None:
        if lab is not None:
            lab.end()
        with self.states:
            done()
        self.runtime.changed()

    def _later(self, act: Callable[..., None], *arguments: object) -> None:
        def guarded() -> None:
            try:
                act(*arguments)
            except Exception:
                log.exception("a notebook instance or application")

        threading.Thread(target=guarded, name="lab", daemon=True).start()

    def _writer(self, plan: Plan, group: str) -> Callable[[str, str], None]:
        if self._logs is None:
            self._logs = LogShipper(self.runtime, "notebook-logs")
        shipper = self._logs

        def write(stream: str, line: str) -> None:
            where = Stream(plan.region, plan.role_arn, group, stream, roles.PRINCIPAL, roles.SESSION_NAME)
            shipper.add(where, int(time.time() * 1000), line)

        return write
