"""The HTTP/1.1 client behind :class:`harness.HttpUser`, compatible with Locust's ``FastHttpSession``.

From the bottom up: ``connection`` (a socket), ``connect`` (opens one), ``connection_pool`` (keeps idle ones),
``response_parser`` (bytes to a response), ``http11`` (sends and receives within limits), ``exchange`` (one request, one
response), ``transport`` (retries, redirects, cookies), ``session`` (the calls a scenario makes), ``user`` (the class it
inherits from).
"""
