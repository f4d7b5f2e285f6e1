"""A server with InvokeAI's queue, events and images, small enough to start beside a notebook.

It speaks the HTTP and Socket.IO API of InvokeAI 6.14.2 over a real queue and a real graph executor, with nodes that
need no model. A behaviour that the real server does not have is a bug, except for the drills of `faults`, which make
it misbehave on demand.
"""

API_VERSION = "6.14.2"
