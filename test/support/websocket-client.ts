/** A message of the server. */
export type Message = Record<string, unknown>;

/** A WebSocket whose messages can be taken one by one. */
export interface WebSocketClient {
  socket: WebSocket;
  /** A text is sent as it is, anything else as JSON. */
  send(message: unknown): void;
  /** The next message that has not been taken yet. */
  next(): Promise<Message>;
  /** Messages up to and with the first of the type. */
  until(type: string): Promise<Message[]>;
  closed: Promise<CloseEvent>;
}

/** Opens a WebSocket at a `ws:` URL; rejects when it is refused. */
export async function openWebSocket(url: string, headers: Record<string, string> = {}): Promise<WebSocketClient> {
  const socket = new WebSocket(url, { headers } as never);
  const messages: Message[] = [];
  let wake = Promise.withResolvers<void>();
  socket.addEventListener('message', (event) => {
    messages.push(JSON.parse(String(event.data)));
    wake.resolve();
    wake = Promise.withResolvers();
  });
  const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener('close', resolve));
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve);
    socket.addEventListener('error', () => reject(new Error('the WebSocket was refused')));
  });
  const next = async (): Promise<Message> => {
    while (messages.length === 0) await wake.promise;
    return messages.shift()!;
  };
  return {
    socket,
    closed,
    next,
    send: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    async until(type) {
      const taken: Message[] = [];
      while (taken.at(-1)?.['type'] !== type) taken.push(await next());
      return taken;
    },
  };
}
