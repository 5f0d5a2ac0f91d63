import { describe, expect, it } from 'vitest';
import { createTemplate, JinjaError } from '../../../src/worker/jinja/jinja.ts';

const render = (source: string, variables: Record<string, unknown> = {}) => createTemplate(source).render(variables);

describe('values from JSON', () => {
  it('are printed as Python prints them', () => {
    const value = { a: [1, 2.5, -0, 1e21, 9007199254740993n, null, true, 'x'], 'b"': {} };
    expect(render('{{ v }}', { v: value })).toBe(
      "{'a': [1, 2.5, 0, 1e+21, 9007199254740993, None, True, 'x'], 'b\"': {}}",
    );
  });

  it('that are undefined are no variables', () => {
    expect(render('{{ v is defined }}', { v: undefined })).toBe('False');
  });

  it('may have the names of what every JavaScript object has', () => {
    const parsed: unknown = JSON.parse('{"__proto__": {"x": 1}, "constructor": 2, "toString": 3}');
    expect(render('{{ v.constructor }}{{ v.toString }}{{ v["__proto__"].x }}{{ v | length }}', { v: parsed })).toBe(
      '2313',
    );
  });

  it('too deep for the stack are an error of their own', () => {
    let deep: unknown = 1;
    for (let depth = 0; depth < 50_000; depth++) deep = [deep];
    expect(() => render('{{ v | tojson }}', { v: deep })).toThrow(JinjaError);
  });
});

describe('a template', () => {
  it('is read once and rendered often', () => {
    const template = createTemplate('{% set ns = namespace(n=0) %}{% set ns.n = ns.n + x %}{{ ns.n }}');
    expect([1, 2].map((x) => template.render({ x }))).toEqual(['1', '2']);
  });

  it('says where it cannot be read', () => {
    expect(() => createTemplate('a\n{% if x %}\n{{ y z }}')).toThrow("expected '}}', got 'z' (line 3)");
    expect(() => createTemplate('{% for m in messages %}{{ m.content ')).toThrow('unexpected end of template');
    expect(() => createTemplate('{{ x | nothing }}')).toThrow("No filter named 'nothing'");
  });

  it('tells its own words apart from other failures', () => {
    const kindOf = (source: string) => {
      try {
        render(source);
      } catch (error) {
        return error instanceof JinjaError ? `${error.kind}: ${error.message}` : error;
      }
      return null;
    };
    expect(kindOf("{{ raise_exception('Only users!') }}")).toBe('TemplateError: Only users!');
    expect(kindOf('{{ a.b.c }}')).toBe("UndefinedError: 'a' is undefined");
    expect(kindOf("{% set d = {'x': 1} %}{{ d.y.z }}")).toBe("UndefinedError: 'dict object' has no attribute 'y'");
  });

  it('prints an invisible character as it is', () => {
    const template = createTemplate("{{ [x] }}{{ x | tojson(ensure_ascii=true) }}{{ '%r' % x }}");
    expect(template.render({ x: 'a\ue000b' }, { invisible: '\ue000' })).toBe("['a\ue000b']\"a\ue000b\"'a\ue000b'");
    expect(template.render({ x: 'a\ue000b' })).toBe("['a\\ue000b']\"a\\ue000b\"'a\\ue000b'");
  });

  it('shows what filters leave of a text', () => {
    const seen: string[] = [];
    const rejoined = (text: string) => {
      seen.push(text);
      return text;
    };
    const source = "{{ x | replace('-', '') }}{{ x.replace('-', ' ') }}{{ x | upper }}{{ x.lower() }}{{ x | reverse }}";
    createTemplate(source).render({ x: 'a-b' }, { rejoined });
    expect(seen).toEqual(['ab', 'a b', 'A-B', 'a-b', 'b-a']);
  });
});
