"""Messages, transport and joining between the processes that make the load: no gevent, no Locust."""
