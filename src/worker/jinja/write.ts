import { typeError } from './errors.ts';
import { escapeHtml } from './html.ts';
import { str } from './print.ts';
import { Markup, type Runtime, textOfValue, typeName, type Value } from './values.ts';

/** Prints a value. */
export function write(runtime: Runtime, value: Value): void {
  const text = str(value, runtime);
  writeText(runtime, runtime.autoescape && !(value instanceof Markup) ? escapeHtml(text) : text);
}

/** Writes what a call or a filter made of a block. Throws `TypeError` for what is no text. */
export function writeMade(runtime: Runtime, value: Value): void {
  const text = textOfValue(value);
  if (text === undefined) throw typeError(`expected str instance, ${typeName(value)} found`);
  writeText(runtime, text);
}

/** Writes a text as it is. */
export function writeText(runtime: Runtime, text: string): void {
  // Not by the length of all that is written: that would count every text again with each write.
  runtime.budget.text(text.length);
  runtime.output += text;
  if (runtime.output.length > maxOutput) runtime.budget.text(runtime.output.length);
}
const maxOutput = 4 * 1024 * 1024;

/** Runs something whose output goes elsewhere: what `use` makes of it while it stands alone. */
export function capture<T>(runtime: Runtime, run: () => T): { text: string; result: T } {
  const before = runtime.output;
  runtime.output = '';
  try {
    const result = run();
    return { text: runtime.output, result };
  } finally {
    runtime.output = before;
  }
}

/** What something writes, as a value. */
export function captured(runtime: Runtime, run: () => void): Value {
  const { text } = capture(runtime, run);
  return runtime.autoescape ? new Markup(text) : text;
}
