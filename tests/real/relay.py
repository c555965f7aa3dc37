# SPDX-License-Identifier: GPL-2.0-or-later
"""A TCP relay on loopback that counts the bytes that go and come back.

It knows nothing of HTTP, so that what it counts is what a network would have
carried, headers included.
"""
import socket
import threading


class Relay:
    """with Relay(port) as r: connect to 127.0.0.1:r.port; r.sent is what the
    client sent, r.received what came back; r.url."""

    def __init__(self, port):
        self.target = port
        self.sent = self.received = 0
        self.ended = []                 # of each connection's two directions
        self.lock = threading.Lock()
        self.sock = socket.create_server(('127.0.0.1', 0), backlog=64)
        self.port = self.sock.getsockname()[1]
        self.url = f'http://127.0.0.1:{self.port}'

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.sock.close()

    def accept(self):
        while True:
            try:
                client, _ = self.sock.accept()
            except OSError:
                return
            server = socket.create_connection(('127.0.0.1', self.target))
            pair = len(self.ended)
            self.ended.append(0)
            for src, dst, back in ((client, server, False),
                                   (server, client, True)):
                threading.Thread(target=self.pump, daemon=True,
                                 args=(pair, src, dst, back)).start()

    def pump(self, pair, src, dst, back):
        try:
            while True:
                data = src.recv(1 << 18)
                if not data:
                    break
                with self.lock:
                    if back:
                        self.received += len(data)
                    else:
                        self.sent += len(data)
                dst.sendall(data)
        except OSError:
            pass
        # half-close: the other direction may still have an answer to bring,
        # and whichever ends last closes both
        try:
            dst.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        with self.lock:
            self.ended[pair] += 1
            last = self.ended[pair] == 2
        if last:
            src.close()
            dst.close()
