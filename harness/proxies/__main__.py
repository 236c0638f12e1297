"""The process that holds a run's proxies: ``python -m harness.proxies``.

The first line on standard input is a secret. The first line on standard output is a loopback port. A process that knows
the secret sends requests there, one JSON line a connection: to ``add`` a proxy, to set its ``conditions``, to ``end``.
So any process can undo what another began. When standard input ends, the harness has ended: all conditions are cleared,
and the process ends once its proxies are no longer in use.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import sys
from typing import Any

from harness.open_files import allow_many_files
from harness.proxies.conditions import CLEAR, Conditions
from harness.proxies.proxy import Proxy

_LOOPBACK = "127.0.0.1"
_LONGEST_S = 5.0
"""How long a target may still use a proxy when the harness has ended; its supervisor gives it 2 s to end."""
_POLL_S = 0.05


class _Holder:
    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._proxies: dict[str, Proxy] = {}
        self.ended = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Do what one line asks for."""
        with contextlib.closing(writer), contextlib.suppress(OSError, ValueError):
            request = json.loads(await reader.readline())
            if isinstance(request, dict) and hmac.compare_digest(str(request.pop("secret", "")), self._secret):
                writer.write(json.dumps(await self._do(**request)).encode() + b"\n")
                await writer.drain()

    async def _do(self, do: str, **request: Any) -> dict[str, Any]:
        match do:
            case "add":
                return await self._add(**request)
            case "conditions":
                return await self._change(request["name"], Conditions(**request["conditions"]))
            case _:
                self.ended.set()
                return {}

    async def _add(self, name: str, listen: tuple[str, int], upstream: tuple[str, int]) -> dict[str, Any]:
        proxy = Proxy((upstream[0], upstream[1]))
        try:
            host, port = await proxy.open(*listen)
        except OSError as error:
            return {"error": error.strerror or str(error)}
        self._proxies[name] = proxy
        return {"host": host, "port": port}

    async def _change(self, name: str, conditions: Conditions) -> dict[str, Any]:
        try:
            await self._proxies[name].meet(conditions)
        except OSError as error:  # it cannot listen again
            return {"error": error.strerror or str(error)}
        return {}

    async def wind_up(self) -> None:
        """Undo everything, and wait until no proxy is in use."""
        for proxy in self._proxies.values():
            with contextlib.suppress(OSError):
                await proxy.meet(CLEAR)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST_S):
                while any(proxy.has_links for proxy in self._proxies.values()):
                    await asyncio.sleep(_POLL_S)


async def _main() -> None:
    holder = _Holder(sys.stdin.readline().strip())
    server = await asyncio.start_server(holder.serve, _LOOPBACK, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    gone = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    ended = asyncio.ensure_future(holder.ended.wait())
    await asyncio.wait([gone, ended], return_when=asyncio.FIRST_COMPLETED)
    if not holder.ended.is_set():
        await holder.wind_up()


def main() -> None:
    allow_many_files()  # each connection takes two
    asyncio.run(_main())


if __name__ == "__main__":
    main()
