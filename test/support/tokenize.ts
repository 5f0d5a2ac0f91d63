import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { repositoryRoot } from './server.ts';

/** Token ids of texts, by the library in a process of its own. */
export function tokenize(file: string, texts: readonly string[]): Promise<number[][]> {
  return new Promise((resolve, reject) => {
    const script = join(repositoryRoot, 'test/support/bare-tokenizer.ts');
    const child = execFile(
      process.execPath,
      [script, file],
      { maxBuffer: 16 * 1024 * 1024 },
      (error, stdout, stderr) =>
        error ? reject(new Error(stderr, { cause: error })) : resolve(JSON.parse(stdout) as number[][]),
    );
    child.stdin?.end(JSON.stringify(texts));
  });
}
