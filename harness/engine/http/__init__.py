"""The HTTP/1.1 client of :class:`harness.HttpUser`: the calls and results of Locust's ``FastHttpSession``, much faster.

From the bottom: ``connection`` (a socket that waits in gevent), ``dial`` (how one is made), ``pool`` (idle ones),
``answer`` (bytes to an answer), ``exchange`` (one request, one answer), ``session`` (the calls), ``user`` (the class).
"""
