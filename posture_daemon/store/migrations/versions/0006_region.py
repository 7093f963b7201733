"""The part of each picture that a model looks at; NULL is all of it, as every model did before.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add a column."""
    op.add_column("model_versions", sa.Column("region", sa.String(), nullable=True))
