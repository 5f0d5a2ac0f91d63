import type { Keyboard } from './prompt.ts';

/** Waits for one of some keys; null: Ctrl-C, Ctrl-D, or the terminal is gone. Others are as if they were not pressed. */
export function pressedKey({ input }: Pick<Keyboard, 'input'>, keys: readonly string[]): Promise<string | null> {
  const terminal = input as NodeJS.ReadableStream & { setRawMode?: (isRaw: boolean) => void };
  terminal.setRawMode?.(true);
  return new Promise((resolve) => {
    const end = (key: string | null) => {
      terminal.off('data', read).off('end', close);
      terminal.setRawMode?.(false);
      terminal.pause();
      resolve(key);
    };
    const close = () => end(null);
    const read = (chunk: Buffer | string) => {
      const text = chunk.toString();
      if (text.includes('\u0003') || text.includes('\u0004')) return end(null);
      const key = [...text].find((character) => keys.includes(character));
      if (key !== undefined) end(key);
    };
    terminal.on('data', read).on('end', close);
    terminal.resume();
  });
}
