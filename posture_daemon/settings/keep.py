"""The settings of forgetting: how long what nobody needs any more is kept, each with its unit, default and bounds."""

from pydantic import Field

from posture_daemon.settings.sections import Section


class KeepSettings(Section):
    """How much of the past is kept. A day of use is one on which the daemon recorded something."""

    refusals_days: int = Field(
        default=90, ge=1, le=36_500, description="Days of use for which refused attempts to train are kept."
    )
    discarded_days: int = Field(
        default=30,
        ge=1,
        le=36_500,
        description="Days of use for which frames that you discarded are kept, in case you take it back.",
    )
    history_days: int = Field(
        default=730, ge=1, le=36_500, description="Days of use for which the history of your posture is kept."
    )
    models: int = Field(
        default=20,
        ge=1,
        le=100_000,
        description="Newest models whose files are kept; files of the champion, the one before it, and imported models are "
        "kept as well, and what is known about a model always is.",
    )
    restore_damaged: bool = Field(
        default=False,
        description="Restore the newest good backup, and keep the damaged file, when the database is damaged at the start of "
        "the daemon (true or false); otherwise it stops and says so.",
    )
