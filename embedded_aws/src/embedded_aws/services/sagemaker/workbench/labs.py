"""The running JupyterLabs: started and ended in the background, and ended when idle."""

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

CHECK_SECONDS = 60.0  # of service time between idle checks
MIN_CHECK_SECONDS = 0.5  # of real time

Failed = Callable[[NotStarted], None]


class Labs:
    """The JupyterLabs of all notebook instances and applications, by the name of their plan."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.states = threading.RLock()
        """Held while the status of a record is read and changed."""

        self.tickets = Tickets(runtime)
        """Presigned URLs of the JupyterLabs."""

        self._labs: dict[str, Lab] = {}
        self._logs: LogShipper | None = None

    def check_role(self, role_arn: str, region: str) -> None:
        """Raise RoleNotAssumable if SageMaker cannot assume the role."""
        roles.assume(self.runtime, role_arn, region)

    def start(
        self,
        plan: Plan,
        group: str,
        ready: Callable[[], None],
        failed: Failed,
        idle: tuple[float, Callable[[], None]] | None = None,
    ) -> None:
        """Start a JupyterLab in the background.

        group: name of its log group.
        ready: called when it answers.
        failed: called if it does not start, or ends unexpectedly.
        idle: minutes of service time without use, and what to call then.
        """
        lab = Lab(plan, self.runtime, self._writer(plan, group))
        with self.states:
            self._labs[plan.name] = lab
        self._later(self._run, lab, ready, failed, idle)

    def end(self, name: str, done: Callable[[], None]) -> None:
        """End a JupyterLab in the background, then call `done`."""
        with self.states:
            lab = self._labs.pop(name, None)
        self._later(self._end, lab, done)

    def url(self, name: str) -> str | None:
        """Return the URL of a running JupyterLab, or None."""
        with self.states:
            lab = self._labs.get(name)
        return lab.url if lab is not None else None

    def halt(self) -> None:
        """End all because the embedded AWS stops. Records stay, and the next start resumes them."""
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
        def ended(_: Lab) -> None:
            self._failed(lab, NotStarted("Its main process has ended."), failed)

        try:
            lab.start(ended)
        except (NotStarted, OSError, RoleNotAssumable) as error:
            reason = error if isinstance(error, NotStarted) else NotStarted(str(error))
            self._failed(lab, reason, failed)
            return
        with self.states:
            current = self._labs.get(lab.plan.name) is lab
            if current:
                ready()
        if not current:
            lab.end()  # it was ended or replaced while it started
            return
        self.runtime.changed()
        if idle is not None:
            self._watch(lab, *idle)

    def _watch(self, lab: Lab, minutes: float, on_idle: Callable[[], None]) -> None:
        allowed = timedelta(minutes=minutes / self.runtime.time_scale)
        interval = max(CHECK_SECONDS / self.runtime.time_scale, MIN_CHECK_SECONDS)
        while not lab.over.wait(interval):
            try:
                used = lab.last_use()
            except OSError:
                continue  # JupyterLab restarts at this moment
            if datetime.now(timezone.utc) - used >= allowed:
                log.info("%s has been idle for %s", lab.plan.name, allowed)
                on_idle()
                return

    def _failed(self, lab: Lab, reason: NotStarted, failed: Failed) -> None:
        with self.states:
            if self._labs.get(lab.plan.name) is not lab:
                return  # ended by a request, or because the embedded AWS stops
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
                log.exception("a notebook instance or application failed")

        threading.Thread(target=guarded, name="lab", daemon=True).start()

    def _writer(self, plan: Plan, group: str) -> Callable[[str, str], None]:
        if self._logs is None:
            self._logs = LogShipper(self.runtime, "notebook-logs")
        shipper = self._logs

        def write(stream: str, line: str) -> None:
            where = Stream(plan.region, plan.role_arn, group, stream, roles.PRINCIPAL, roles.SESSION_NAME)
            shipper.add(where, int(time.time() * 1000), line)

        return write
