"""The kernels' channels: no message that comes in is missed."""

import asyncio
import time

import pytest
import zmq
import zmq.asyncio
from jupyter_client.session import Session

from tools.running.kernels import Channel


@pytest.mark.parametrize("timeout", [None, 30])
def test_a_message_that_comes_while_another_is_sent_is_found(timeout):
    session = Session(key=b"")

    async def talk():
        context, blocking = zmq.asyncio.Context(), zmq.Context()
        kernel, client = blocking.socket(zmq.ROUTER), context.socket(zmq.DEALER)
        client.connect(f"tcp://127.0.0.1:{kernel.bind_to_random_port('tcp://127.0.0.1')}")
        channel = Channel(client, session)
        channel.send(session.msg("execute_request"))
        identity = kernel.recv_multipart()[0]
        waiting = asyncio.ensure_future(channel.get_msg(timeout))
        await asyncio.sleep(0.01)
        session.send(kernel, "execute_reply", ident=identity)
        time.sleep(0.1)  # it has come in, and the event loop has not seen it
        channel.send(session.msg("comm_msg"))
        try:
            return await asyncio.wait_for(waiting, 10)
        finally:
            context.destroy(linger=0)
            blocking.destroy(linger=0)

    assert asyncio.run(talk())["msg_type"] == "execute_reply"
