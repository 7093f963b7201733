"""What the owner must be told: a model that was damaged, a database that was restored.

Also all that 0004 was given after it had been on main: a file that was brought to 0004 before has it not.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add a table, and to a file of the first 0004 what it lacks."""
    op.create_table(
        "incidents",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("happened_at", sa.Double(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    _complete_0004()


def _complete_0004() -> None:
    found = sa.inspect(op.get_bind())
    for table, column in (("labels", "kept_at"), ("answers", "kept_at_before"), ("frames", "usefulness")):
        if column not in {known["name"] for known in found.get_columns(table)}:
            op.add_column(table, sa.Column(column, sa.Double(), nullable=True))
    if not found.has_table("wrongs"):
        op.create_table(
            "wrongs",
            sa.Column("id", sa.Integer(), nullable=False),
            sa.Column("asked_at", sa.Double(), nullable=False),
            sa.Column("frame_id", sa.Integer(), nullable=True),
            sa.ForeignKeyConstraint(["frame_id"], ["frames.id"], ondelete="CASCADE"),
            sa.PrimaryKeyConstraint("id"),
        )
