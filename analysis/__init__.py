"""The answers: functions that read stored results and theory, and never run a simulation."""
