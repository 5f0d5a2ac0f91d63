/** Finds stop strings in streamed text and never lets a part of one out before it is decided. */
export interface StopMatcher {
  /**
   * Text that is safe to show, the stop string that was met, and from there on what was pushed; nothing may be pushed
   * after that, unless the stop string is not to count.
   */
  push(text: string): { text: string; stopped: string | null; rest: string };
  /** The text held back, when the answer ends without a stop string. */
  end(): string;
}

/** The earliest stop string in the text wins; of two at one place, the longer. */
export function createStopMatcher(stops: readonly string[]): StopMatcher {
  const byLength = [...stops].sort((a, b) => b.length - a.length);
  let held = '';
  return {
    push(text) {
      if (byLength.length === 0) return { text, stopped: null, rest: '' };
      const all = held + text;
      let at = -1;
      let stopped: string | null = null;
      for (const stop of byLength) {
        const found = all.indexOf(stop);
        if (found !== -1 && (at === -1 || found < at)) {
          at = found;
          stopped = stop;
        }
      }
      if (stopped !== null) {
        held = '';
        return { text: all.slice(0, at), stopped, rest: all.slice(at) };
      }
      const hold = longestPartialMatch(all, byLength);
      held = all.slice(all.length - hold);
      return { text: all.slice(0, all.length - hold), stopped: null, rest: '' };
    },
    end() {
      const rest = held;
      held = '';
      return rest;
    },
  };
}

/** Length of the longest end of `text` that is the beginning of one of `patterns`. */
export function longestPartialMatch(text: string, patterns: readonly string[]): number {
  let longest = 0;
  for (const pattern of patterns) {
    for (let length = Math.min(pattern.length - 1, text.length); length > longest; length--) {
      if (text.endsWith(pattern.slice(0, length))) {
        longest = length;
        break;
      }
    }
  }
  return longest;
}
