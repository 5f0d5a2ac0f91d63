import { JinjaError } from './errors.ts';

/** Longest text and longest list that a template may make. */
const maxTextLength = 8 * 1024 * 1024;
const maxItems = 2 * 1024 * 1024;
/** Work for one rendering; a long conversation takes some hundred thousand. */
const maxSteps = 20_000_000;
const maxMilliseconds = 5_000;
/** Macros and recursive loops within each other. */
const maxDepth = 200;

/**
 * What one rendering may cost. A template comes with a file from anywhere, so it may try to run for ever or to fill the
 * memory; whatever is over ends it with a `BudgetError`.
 */
export class Budget {
  #steps = 0;
  #checked = 0;
  #depth = 0;
  readonly #deadline: number;

  /** `milliseconds`: how long it may take, where that is less than what all may. */
  constructor(milliseconds = maxMilliseconds) {
    this.#deadline = performance.now() + Math.min(milliseconds, maxMilliseconds);
  }

  /** Counts work that was done. */
  spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > maxSteps) throw new JinjaError('BudgetError', 'the template takes too many steps');
    if (this.#steps - this.#checked > 4_096) {
      this.#checked = this.#steps;
      if (performance.now() > this.#deadline) throw new JinjaError('BudgetError', 'the template takes too long');
    }
  }

  /** Before a text is put together from others. */
  text(length: number): void {
    if (length > maxTextLength) throw new JinjaError('BudgetError', 'the template makes a text that is too long');
    this.spend(1 + (length >>> 8));
  }

  /** Before a text is searched through or copied. */
  scan(length: number): void {
    if (length > maxTextLength) throw new JinjaError('BudgetError', 'the template makes a text that is too long');
    this.spend(1 + (length >>> 4));
  }

  /** Before a list is made. */
  items(count: number): void {
    if (count > maxItems) throw new JinjaError('BudgetError', 'the template makes a list that is too long');
    this.spend(1 + count * 4);
  }

  /** Runs a macro or the inside of a recursive loop. */
  nested<T>(run: () => T): T {
    if (this.#depth >= maxDepth) throw new JinjaError('RecursionError', 'maximum recursion depth exceeded');
    this.#depth++;
    try {
      return run();
    } finally {
      this.#depth--;
    }
  }
}
