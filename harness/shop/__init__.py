"""The embedded target: a real shop (FastAPI, SQLAlchemy, uvicorn) that a load test can be tried on.

Started as ``python -m harness.shop --host 127.0.0.1 --port PORT`` and set by environment variables
(`harness.shop.settings`). It imports nothing of the rest of the harness: it is a target like any other.
"""
