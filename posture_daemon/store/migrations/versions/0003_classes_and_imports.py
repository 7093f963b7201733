"""Classes can be retired, the answers of one import are undone together, and a number that nobody read is gone.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add two columns and drop one."""
    op.add_column("classes", sa.Column("retired_at", sa.Double(), nullable=True))
    op.add_column("answers", sa.Column("batch", sa.Integer(), nullable=True))
    op.drop_column("training_runs", "labels_seen")
