/**
 * A process for the test of the thread pool: of its threads as many work as its first argument says, one of them reads from
 * descriptor 5 until the test writes there, and then something else wants a thread.
 */
import { read, stat } from 'node:fs';
import { gateDescriptor } from '../../src/ipc/gate.ts';
import { createThreadPool, parkAt } from '../../src/worker/batch/thread-pool.ts';

const pool = createThreadPool({
  size: Number(process.env['UV_THREADPOOL_SIZE']),
  park: () => parkAt(gateDescriptor),
  release: (threads) => process.send?.({ type: 'release', threads }),
});
await pool.use(Number(process.argv[2]));
read(5, Buffer.alloc(1), 0, 1, null, () => process.send?.('unblocked'));
stat(import.meta.filename, () => process.send?.('looked'));
process.send?.('begun');

process.on('exit', () => pool.close());
process.on('message', (message: string) => {
  if (message === 'exit') process.exit(0);
  if (message === 'throw') {
    throw new Error('this is meant to happen');
  }
  if (message.startsWith('use ')) void pool.use(Number(message.slice(4)));
});
