import { describe, expect, it } from 'vitest';
import { isListedOrigin, isOriginPattern } from '../../src/config/origins.ts';

describe('isOriginPattern', () => {
  it.each([
    '*',
    'null',
    'https://nas.local:8443',
    'http://[::1]:3000',
    'https://*.example.com',
    'https://*.example.com:8443',
    'http://localhost:*',
    'app://obsidian.md',
    'app://*',
    'tauri://localhost',
    'chrome-extension://abcdefghijklmnop',
    'moz-extension://1a2b-3c',
  ])('takes %s', (text) => expect(isOriginPattern(text)).toBe(true));

  it.each([
    '',
    'nas.local',
    'https://nas.local/',
    'https://nas.local/page',
    'https://nas.local:443',
    'HTTPS://nas.local',
    'https://user@nas.local',
    'https://a.*.example.com',
    'https://*example.com',
    'https://**.example.com',
    '*://nas.local',
    '*.example.com',
    'app://',
    'https://.example.com',
  ])('refuses %j', (text) => expect(isOriginPattern(text)).toBe(false));
});

describe('isListedOrigin', () => {
  it.each([
    ['https://chat.example.com', 'https://*.example.com', true],
    ['https://a.b.example.com', 'https://*.example.com', true],
    ['https://example.com', 'https://*.example.com', false],
    ['https://evil-example.com', 'https://*.example.com', false],
    ['https://chat.example.com.evil.org', 'https://*.example.com', false],
    ['https://chatxexample.com', 'https://*.example.com', false],
    ['https://chat.example.com:8443', 'https://*.example.com', false],
    ['http://chat.example.com', 'https://*.example.com', false],
    ['https://chat.example.com:8443', 'https://*.example.com:*', true],
    ['http://localhost:5174', 'http://localhost:*', true],
    ['http://localhost', 'http://localhost:*', true],
    ['http://localhost.evil.org:80', 'http://localhost:*', false],
    ['app://obsidian.md', 'app://*', true],
    ['xapp://obsidian.md', 'app://*', false],
    ['null', 'null', true],
    ['null', 'https://*.example.com', false],
    ['https://anything', '*', true],
  ])('%s under %s: %s', (origin, listed, expected) => expect(isListedOrigin(origin, [listed])).toBe(expected));
});
