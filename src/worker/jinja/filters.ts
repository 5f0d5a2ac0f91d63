import { collectionFilters } from './filters-collection.ts';
import type { Filter } from './filters-define.ts';
import { selectionFilters } from './filters-selection.ts';
import { textFilters } from './filters-text.ts';
import { valueFilters } from './filters-value.ts';
import { createTests, type Test } from './tests.ts';

export type { Filter } from './filters-define.ts';
export type { Test } from './tests.ts';

/** All filters of Jinja2, with `tojson` as Hugging Face's transformers have it. */
export const filters: ReadonlyMap<string, Filter> = new Map(
  Object.entries({
    ...textFilters,
    ...valueFilters,
    ...collectionFilters,
    ...selectionFilters({ filter: (name) => filters.get(name), test: (name) => tests.get(name) }),
  }),
);

export const tests: ReadonlyMap<string, Test> = createTests((name) => filters.has(name));
