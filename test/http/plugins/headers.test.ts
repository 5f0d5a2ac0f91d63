import { expect, it } from 'vitest';
import { headerValues } from '../../../src/http/plugins/headers.ts';

it('finds every value of a doubled header, whatever the case of its name', () => {
  const rawHeaders = ['Host', 'a', 'X-Api-Key', 'one', 'host', 'b', 'X-HOST', 'c'];
  expect(headerValues({ rawHeaders }, 'host')).toEqual(['a', 'b']);
  expect(headerValues({ rawHeaders }, 'x-api-key')).toEqual(['one']);
  expect(headerValues({ rawHeaders }, 'authorization')).toEqual([]);
});
