"""The label page: `server` (a thread) → `guard` (access control) → `app` (routes) → `session` → `labelling`.

The browser gets `templates/` and `static/` without a build step and nothing from other hosts. This file imports nothing, so
that asking for the address of the page does not load FastAPI.
"""
