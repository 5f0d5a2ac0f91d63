import { Socket } from 'node:net';

/** Sees every connection that this process opens, whichever library opens it: TCP, TLS and HTTP/2 all begin so. */
export interface SocketSpy {
  /** Where to, as `host:port` or the path of a socket; those to `ignored` ports are left out. */
  opened(): string[];
  /** Takes back what was seen. */
  clear(): void;
  close(): void;
}

/** `ignored`: ports that the test itself talks to. */
export function spyOnSockets(ignored: readonly number[]): SocketSpy {
  const connect = Socket.prototype.connect;
  let opened: string[] = [];
  Socket.prototype.connect = function (this: Socket, ...args: unknown[]) {
    // Node itself hands over its own normalised list in place of arguments.
    const [first, second] = (Array.isArray(args[0]) ? args[0] : args) as unknown[];
    const { port, host, path } = (
      typeof first === 'object' && first !== null ? first : { port: first, host: second }
    ) as { port?: unknown; host?: unknown; path?: string };
    if (path !== undefined && port === undefined) opened.push(path);
    else if (!ignored.includes(Number(port))) opened.push(`${String(host ?? 'localhost')}:${String(port)}`);
    return Reflect.apply(connect, this, args);
  } as typeof connect;
  return {
    opened: () => [...opened],
    clear() {
      opened = [];
    },
    close() {
      Socket.prototype.connect = connect;
    },
  };
}
