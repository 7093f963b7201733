"""The label page: `server` (in a thread) → `app` (routes) → `guard` (who may ask) → `session` (one at a time) → `labelling`.

`templates/` and `static/` are what the browser gets, as they are: no build step, nothing from elsewhere. This file imports
nothing, so that whoever only wants the address does not load FastAPI.
"""
