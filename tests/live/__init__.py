"""The console against running servers: the embedded one, and with --real the real ones."""
