/**
 * Token ids by node-llama-cpp alone. Run as a process: `node bare-tokenizer.ts VOCABULARY` loads a file without weights,
 * reads `[text]` from stdin and writes `[[token]]` to stdout, as the worker tokenises a whole prompt, but without the
 * start token.
 */
import { text as readText } from 'node:stream/consumers';
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';

const llama = await getLlama({
  gpu: false,
  build: 'never',
  skipDownload: true,
  progressLogs: false,
  maxThreads: 1,
  logLevel: LlamaLogLevel.error,
});
const model = await llama.loadModel({ modelPath: process.argv[2]!, vocabOnly: true });
const texts = JSON.parse(await readText(process.stdin)) as string[];
process.stdout.write(JSON.stringify(texts.map((text) => model.tokenize(text, true))));
process.exit(0);
