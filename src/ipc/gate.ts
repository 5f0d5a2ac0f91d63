/** File descriptor from which a worker's parked threads read what lets them go; those before it are the usual ones and the channel. */
export const gateDescriptor = 4;

/** Whether threads of a worker's libuv pool can be parked: on Windows such a read does not wait in the pool. */
export const canParkThreads = process.platform !== 'win32';
