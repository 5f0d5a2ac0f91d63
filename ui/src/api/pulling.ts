import { signal } from '@preact/signals';
import { ask } from './api.ts';
import { type Failure, failureOf } from './failure.ts';

/** What was asked for and has not begun to arrive, or was refused. */
export interface Asked {
  name: string;
  quantization: string | null;
  failure: Failure | null;
}

/** Beside the pulls that the server lists; the newest first. */
export const asked = signal<readonly Asked[]>([]);

/** Begins a pull; what becomes of it is among the server's pulls, or in `asked` where it is refused. */
export async function beginPull(name: string, quantization: string | null = null, force = false): Promise<void> {
  const own: Asked = { name, quantization, failure: null };
  const others = () => asked.value.filter((one) => one.name !== name || one.quantization !== quantization);
  asked.value = [own, ...others()];
  try {
    const body = { name, ...(quantization !== null && { quantization }), ...(force && { force: true }) };
    await ask('api/v1/models/pull', { method: 'POST', body });
    asked.value = others();
  } catch (thrown) {
    asked.value = [{ ...own, failure: failureOf(thrown) }, ...others()];
  }
}

export function forgetAsked(gone: Asked): void {
  asked.value = asked.value.filter((one) => one !== gone);
}
