"""The process that runs for months: start, supervise, stop; its scheduled jobs and its maintenance."""
