import { describe, expect, it } from 'vitest';
import { installedTypes, pinnedApis, recordedTypes } from '../support/pinned-types.ts';

describe('the fields that the pinned clients can send', () => {
  // What is new is to be looked at: see README.md.
  it.each(pinnedApis)('are those that were looked at: %s', (api) => {
    expect(installedTypes(api)).toEqual(recordedTypes(api));
  });
});
