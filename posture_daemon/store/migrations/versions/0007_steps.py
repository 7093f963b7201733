"""What is undone together is a step; an import notes in it all that it adds, so that it can be taken back whole.

`answers.batch` and `answers.undone` give way to `steps`. Of answers from before, date and giver of the older label are unknown.

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add two tables, and a step for each batch or single answer there is, in the order of their last answers."""
    op.create_table(
        "steps",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("began_at", sa.Double(), nullable=False),
        sa.Column("sitting", sa.String(), nullable=True),
        sa.Column("undone_at", sa.Double(), nullable=True),
        sa.Column("ids_until", sa.Integer(), nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "step_changes",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("step_id", sa.Integer(), sa.ForeignKey("steps.id", ondelete="CASCADE"), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("row_id", sa.Integer(), nullable=False),
        sa.Column("row", sa.JSON(), nullable=False),
        sa.Column("features", sa.LargeBinary(), nullable=True),
        sa.Column("jpeg", sa.LargeBinary(), nullable=True),
    )
    op.create_index("ix_steps_ids_until", "steps", ["ids_until"])
    op.create_index("step_changes_by_row", "step_changes", ["step_id", "what", "row_id"])
    _renew_answers()


def _renew_answers() -> None:
    """Make the table anew, since SQLite can neither add a foreign key nor drop one."""
    op.rename_table("answers", "old_answers")
    op.create_table(
        "answers",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("frame_id", sa.Integer(), sa.ForeignKey("frames.id", ondelete="CASCADE"), nullable=False),
        sa.Column("answered_at", sa.Double(), nullable=False),
        sa.Column("status_before", sa.String(), nullable=False),
        sa.Column("class_id_before", sa.Integer(), nullable=True),
        sa.Column("kept_at_before", sa.Double(), nullable=True),
        sa.Column("step_id", sa.Integer(), sa.ForeignKey("steps.id"), nullable=False),
        sa.Column("class_id_after", sa.Integer(), nullable=True),
        sa.Column("label_before", sa.JSON(), nullable=True),
        sa.Column("status_after", sa.String(), nullable=True),
        sa.Column("label_after", sa.JSON(), nullable=True),
    )
    _give_steps(op.get_bind())
    op.drop_table("old_answers")
    op.create_index("ix_answers_step_id", "answers", ["step_id"])
    op.create_index("ix_answers_frame_id", "answers", ["frame_id"])


def _give_steps(connection: sa.Connection) -> None:
    """One for each batch and each answer without; those that were undone cannot be done again."""
    together = "coalesce('batch ' || batch, 'answer ' || id)"
    times = "min(answered_at) AS began, max(answered_at) AS ended"
    of_step = f"SELECT {together} AS name, max(id) AS last, {times}, min(undone) AS undone"
    numbered = f"SELECT *, row_number() OVER (ORDER BY last) AS step FROM ({of_step} FROM old_answers GROUP BY 1)"
    connection.execute(
        sa.text(
            "INSERT INTO steps (id, kind, title, began_at, undone_at) "
            f"SELECT step, 'answer', '', began, CASE WHEN undone THEN ended END FROM ({numbered})"
        )
    )
    kept = "id, frame_id, answered_at, status_before, class_id_before, kept_at_before"
    connection.execute(
        sa.text(
            f"INSERT INTO answers ({kept}, step_id) SELECT {kept}, step FROM old_answers "
            f"JOIN ({numbered}) AS steps ON steps.name = {together}"
        )
    )
