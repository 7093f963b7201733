"""New labels are told by their order; doubted labels that were kept; pauses; refits of confidence; files that are gone.

Also how useful a waiting frame is, and what the owner calls wrong.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Labels are numbered in the order of their times, and runs that are there saw those given before they began."""
    op.add_column("labels", sa.Column("number", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_labels_number", "labels", ["number"])
    op.execute(
        "UPDATE labels SET number = 1 + (SELECT count(*) FROM labels AS earlier WHERE "
        "(earlier.labelled_at, earlier.frame_id) < (labels.labelled_at, labels.frame_id))"
    )
    op.add_column("labels", sa.Column("kept_at", sa.Double(), nullable=True))
    op.add_column("answers", sa.Column("kept_at_before", sa.Double(), nullable=True))
    op.add_column("training_runs", sa.Column("labels_seen", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE training_runs SET labels_seen = "
        "(SELECT coalesce(max(number), 0) FROM labels WHERE labelled_at <= training_runs.started_at)"
    )
    op.add_column("model_versions", sa.Column("files_removed_at", sa.Double(), nullable=True))
    op.create_table(
        "training_pauses",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("began_at", sa.Double(), nullable=False),
        sa.Column("until", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "calibrations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("calibrated_at", sa.Double(), nullable=False),
        sa.Column("temperature_before", sa.Double(), nullable=False),
        sa.Column("temperature", sa.Double(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.Column("error_before", sa.Double(), nullable=False),
        sa.Column("error", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["version_id"], ["model_versions.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.add_column("frames", sa.Column("usefulness", sa.Double(), nullable=True))
    op.create_table(
        "wrongs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.Double(), nullable=False),
        sa.Column("frame_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["frame_id"], ["frames.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
