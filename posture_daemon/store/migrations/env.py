"""Alembic's entry: migrations run inside the transaction that `Database` opened, so that each is all or nothing."""

from alembic import context

from posture_daemon.store.schema import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
context.run_migrations()
