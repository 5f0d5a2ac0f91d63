import { getAttribute, getItem, getOnlyAttribute } from './access.ts';
import { Budget } from './budget.ts';
import { compileTemplate } from './compile-statement.ts';
import { JinjaError } from './errors.ts';
import { globals } from './globals.ts';
import { parseTemplate } from './parse-statement.ts';
import { fromJson, type Runtime, type Value } from './values.ts';

export { JinjaError, type JinjaErrorKind } from './errors.ts';

export interface RenderOptions {
  /** The time that `strftime_now` tells; now when left out. */
  now?: Date;
  /** Characters that are shown as they are where Python would escape what cannot be printed. */
  invisible?: string;
  /** Looks at a text that a filter has put together from parts of others, and gives the one to go on with. */
  rejoined?: (text: string, ...from: string[]) => string;
  /** How long it may take, where that is less than for all renderings. */
  milliseconds?: number;
}

export interface JinjaTemplate {
  /** The text for some variables, which are JSON. Throws `JinjaError`. */
  render(variables: Readonly<Record<string, unknown>>, options?: RenderOptions): string;
}

const overflow = () => new JinjaError('RecursionError', 'maximum recursion depth exceeded');

/** JavaScript's own overflows become errors of the template that caused them. */
function guarded<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw error instanceof RangeError ? overflow() : error;
  }
}

const access = { attribute: getAttribute, onlyAttribute: getOnlyAttribute, item: getItem };

/**
 * A chat template as Jinja2 has it, set up as Hugging Face's transformers do: sandboxed, `trim_blocks`,
 * `lstrip_blocks`, loop controls, `{% generation %}`, `tojson` as `json.dumps`, `raise_exception`, `strftime_now`.
 * It can reach nothing but its variables, and a rendering has a budget. Throws `JinjaError`.
 */
export function createTemplate(source: string): JinjaTemplate {
  const run = guarded(() => compileTemplate(parseTemplate(source)));
  return {
    render(variables, { now = new Date(), invisible = '', rejoined = (text: string) => text, milliseconds } = {}) {
      return guarded(() => {
        const names = new Map<string, Value>(globals);
        for (const [name, value] of Object.entries(variables)) {
          if (value !== undefined && !name.startsWith(' ')) names.set(name, fromJson(value));
        }
        const runtime: Runtime = {
          budget: new Budget(milliseconds),
          globals: names,
          exported: new Map(),
          output: '',
          autoescape: false,
          now,
          invisible,
          rejoined,
          access,
        };
        run(runtime);
        return runtime.output;
      });
    },
  };
}
