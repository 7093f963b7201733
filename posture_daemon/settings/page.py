"""The settings of the label page: where it is served."""

from pydantic import Field

from posture_daemon.settings.sections import Section


class PageSettings(Section):
    """The label page. It is for this computer alone unless `host` says otherwise; then its link holds a secret."""

    enabled: bool = Field(default=True, description="Serve the label page while the daemon runs (true or false).")
    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address that the label page listens on; other devices than this computer can open it only with the link "
        "that `posture-daemon label` prints.",
    )
    port: int = Field(default=8760, ge=0, le=65_535, description="Port of the label page; 0 takes any free one.")
    link: str = Field(
        default="",
        pattern=r"^(https?://[^\s/?#]+/?)?$",
        json_schema_extra={"allowed": "an address such as http://127.0.0.1:8760/, or nothing"},
        description="Address at which your browser reaches the page, where it is another one than the page listens on, "
        "such as the published port of a container; empty for none.",
    )
