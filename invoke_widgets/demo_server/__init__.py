"""The demo server: InvokeAI's queue, events and images, small enough to start beside a notebook.

It serves the HTTP and Socket.IO API of InvokeAI 6.14.2 on a real queue and a real graph executor, with nodes that need
no model. Any behavior that differs from the real server is a bug, except for the drills of `faults`, and for
requests of other hosts and origins, which it refuses.
"""

API_VERSION = "6.14.2"
