import type { Socket } from 'node:net';

/**
 * Resolves when a connection is closed, in order or by a reset: whether a peer that is cut off reads the end or a reset depends on
 * what was still under way. `once(socket, 'close')` rejects with the latter.
 */
export function untilClosed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.on('error', () => {});
    socket.once('close', () => resolve());
  });
}
