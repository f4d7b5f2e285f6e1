"""Deterministic simulation: the client's whole stack on a virtual clock, against a model of the server's queue.

Everything above the sockets runs unmodified: httpx, socket.io, the transport, the sync, the store, the actions and the
attempt chains. Below them are a loop whose time is virtual (`clock`), connections in memory (`network`), and a server
(`server`) with a queue (`model`). A seed decides what users, other clients, the network and the server do, and when.

    python -m tests.simulation --seeds 1000        # prints seeds a second, and each violation
    python -m tests.simulation --seed 17           # plays one again, and shrinks it if it fails

Threads are left out: all runs on one loop, which takes callbacks in asyncio's own order, so that each history found is
one that can happen.
"""
