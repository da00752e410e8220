"""Who may work in an environment beside its administrator."""

from __future__ import annotations

from pydantic import Field, model_validator

from ops.settings.section import Section


class AccessSettings(Section):
    """The roles of stack access. github_repository: whose jobs plan and apply, as owner/name; github_environment: its
    protected environment that may apply; create_identity_provider: not where the account has GitHub's already."""

    github_repository: str = Field("", pattern=r"^([A-Za-z0-9-]+/[A-Za-z0-9._-]+)?$")
    github_environment: str = Field("", pattern=r"^[A-Za-z0-9._-]*$")
    create_identity_provider: bool = True

    @model_validator(mode="after")
    def _protected(self):
        if self.github_repository and not self.github_environment:
            raise ValueError(
                f"github_environment is missing: name the protected environment of {self.github_repository} that "
                "may apply"
            )
        return self
