import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A way to a server that a test can cut and mend. */
export interface TcpProxy {
  port: number;
  /** `cut`: connections end, and new ones are refused; `silent`: nothing passes any more; `open`: new ones pass. */
  set(state: 'open' | 'cut' | 'silent'): Promise<void>;
  close(): Promise<void>;
}

/** Listens on a free port of 127.0.0.1. */
export async function startTcpProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let isSilent = false;
  const pair = (client: Socket) => {
    if (isSilent) {
      sockets.add(client);
      client.on('error', () => {});
      return;
    }
    const upstream = connect(target);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('data', (bytes) => {
        if (!isSilent) other.write(bytes);
      });
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  };
  let server = createServer(pair);
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  };
  const stop = async () => {
    for (const socket of sockets) socket.destroy();
    if (!server.listening) return;
    server.close();
    await once(server, 'close');
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    async set(state) {
      isSilent = state === 'silent';
      if (state === 'silent') return;
      if (state === 'cut') return stop();
      await stop();
      server = createServer(pair);
      await listen(port);
    },
    close: stop,
  };
}
