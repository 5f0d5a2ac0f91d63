import { describe, expect, it } from 'vitest';
import { createTemplate, JinjaError } from '../../../src/worker/jinja/jinja.ts';

/** What a template fails with. */
function failure(source: string, variables: Record<string, unknown> = {}): JinjaError {
  try {
    createTemplate(source).render(variables);
  } catch (error) {
    if (error instanceof JinjaError) return error;
    throw error;
  }
  throw new Error('it rendered');
}

const grow = (start: string, step: string, use: string) =>
  `{% set ns = namespace(x=${start}) %}{% for i in range(60) %}{% set ns.x = ${step} %}{% endfor %}{{ ${use} }}`;

describe('a hostile template', () => {
  it.each([
    ['loops for ever', '{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}'],
    [
      'filters for ever',
      '{% for a in range(90000) %}{% if range(90000) | select("odd") | list %}{% endif %}{% endfor %}',
    ],
    ['doubles a text', grow("'ab'", 'ns.x + ns.x', 'ns.x')],
    ['doubles a text with ~', grow("'ab'", 'ns.x ~ ns.x', 'ns.x')],
    ['doubles a text by replacing', grow("'a'", "ns.x | replace('a', 'aa')", 'ns.x')],
    ['doubles a text by joining', grow("'a'", "[ns.x, ns.x] | join('-')", 'ns.x')],
    ['doubles a text by formatting', grow("'a'", "'%s%s' % (ns.x, ns.x)", 'ns.x')],
    ['doubles a text by braces', grow("'a'", "'{0}{0}'.format(ns.x)", 'ns.x')],
    [
      'doubles what it writes',
      '{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% else %}abcdefgh{% endif %}{% endmacro %}{{ m(60) }}',
    ],
    ['repeats a text', "{{ 'abc' * 999999999 }}"],
    ['repeats a list', '{{ [1] * 999999999 }}'],
    ['doubles a list', grow('[1]', 'ns.x + ns.x', 'ns.x | length')],
    ['prints a list of lists', grow('[1]', '[ns.x, ns.x]', 'ns.x')],
    ['writes a list of lists as JSON', grow('[1]', '[ns.x, ns.x]', 'ns.x | tojson')],
    [
      'compares lists of lists',
      `${grow('[1]', '[ns.x, ns.x]', "''")}${grow('[1]', '[ns.x, ns.x]', "''").replaceAll('ns', 'other')}{{ ns.x == other.x }}`,
    ],
    ['keys a tuple of tuples', grow('(1,)', '(ns.x, ns.x)', '{ns.x: 1}')],
    ['fills a list', "{{ [1] | batch(999999999, 'x') | list }}"],
    ['pads a text', "{{ 'x'.ljust(999999999) }}"],
    ['pads with a filter', "{{ 'x' | center(999999999) }}"],
    ['formats a wide field', "{{ '%999999999d' % 1 }}{{ '{:999999999}'.format(1) }}"],
    ['computes a long number', '{{ 9 ** 999999999 }}'],
    ['multiplies a long number', grow('9', 'ns.x * ns.x', 'ns.x')],
    ['indents by a long text', "{{ ('a\\n' * 100000) | indent('b' * 100000) }}"],
    ['expands tabs', "{{ ('\\t' * 100000).expandtabs(100000) }}"],
  ])('that %s is ended', (_what, source) => {
    expect(failure(source).kind).toBe('BudgetError');
  });

  it.each([
    ['a macro that calls itself', '{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}'],
    ['a block that calls itself', '{% block b %}{{ self.b() }}{% endblock %}'],
    ['a loop within itself', '{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}'],
    [
      'lists within lists without end',
      `{% set ns = namespace(x=[]) %}${'{% for i in range(20000) %}{% set ns.x = [ns.x] %}{% endfor %}'}{{ ns.x }}`,
    ],
  ])('does not overflow the stack: %s', (_what, source) => {
    expect(failure(source).kind).toBe('RecursionError');
  });

  it.each([
    ['parentheses', `{{ ${'('.repeat(5000)}1${')'.repeat(5000)} }}`],
    ['negations', `{{ ${'not '.repeat(5000)}1 }}`],
    ['signs', `{{ ${'-'.repeat(5000)}1 }}`],
    ['blocks', `${'{% if 1 %}'.repeat(5000)}${'{% endif %}'.repeat(5000)}`],
    ['lists', `{{ ${'['.repeat(5000)}${']'.repeat(5000)} }}`],
  ])('is not read with 5000 %s within each other', (_what, source) => {
    expect(failure(source).kind).toBe('TemplateSyntaxError');
  });

  it('with a long chain of operators or filters is read, or refused in an error of its own', () => {
    for (const part of ['+1', '~1', '|abs', '.x', ' or 1', '==1']) {
      const source = `{{ 1${part.repeat(20_000)} }}`;
      try {
        createTemplate(source).render({});
      } catch (error) {
        expect(error).toBeInstanceOf(JinjaError);
      }
    }
  });

  it('is not slow to read where white space is long', () => {
    const spaces = ' '.repeat(200_000);
    expect(createTemplate(`a${spaces}x{%- if 1 %}${spaces}y{%- endif %}${spaces}`).render({})).toHaveLength(600_003);
  });

  it('reaches nothing of JavaScript', () => {
    const names = ['constructor', '__proto__', 'prototype', 'hasOwnProperty', 'toString', 'call', 'apply', 'length'];
    const values = [
      '{}',
      '[]',
      "''",
      '1',
      '1.5',
      'none',
      'true',
      '(1,)',
      'range(2)',
      'namespace()',
      'd',
      'd.items()',
      'loop',
      'cycler(1)',
    ];
    for (const value of values) {
      for (const name of names) {
        const source = `{% for i in [1] %}{{ (${value})['${name}'] is defined }}{{ (${value}).${name} is defined }}{% endfor %}`;
        // `loop.length` is Jinja2's own.
        const expected = value === 'loop' && name === 'length' ? 'TrueTrue' : 'FalseFalse';
        expect(createTemplate(source).render({ d: { a: 1 } }), source).toBe(expected);
      }
    }
    expect(
      createTemplate('{{ constructor is defined }}{{ __proto__ is defined }}{{ toString is defined }}').render({}),
    ).toBe('FalseFalseFalse');
    expect(createTemplate("{{ '{0.constructor}{0.__class__}'.format('a') }}").render({})).toBe('');
  });

  it('cannot change what it is given', () => {
    const messages = [{ role: 'user' }];
    expect(failure('{{ messages.append(1) }}', { messages }).kind).toBe('SecurityError');
    expect(failure("{{ messages[0].update({'role': 'x'}) }}", { messages }).kind).toBe('SecurityError');
    expect(messages).toEqual([{ role: 'user' }]);
  });
});
