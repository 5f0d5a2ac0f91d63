import { JinjaError } from './errors.ts';
import { attributeGetter, type Filter } from './filters-define.ts';
import type { Test } from './tests.ts';
import { isTrue, iterate, type Named, Once, type Runtime, textOfValue, type Value } from './values.ts';

interface Lookup {
  filter(name: string): Filter | undefined;
  test(name: string): Test | undefined;
}

const argumentError = (message: string) => new JinjaError('FilterArgumentError', message);
const noSuch = (what: string, name: Value) =>
  new JinjaError('TemplateRuntimeError', `No ${what} named '${textOfValue(name) ?? ''}'.`);

/** The filters that take the name of another filter or of a test. What they give is computed as it is asked for. */
export function selectionFilters(lookup: Lookup): Record<string, Filter> {
  const mapper = (args: readonly Value[], named: Named, runtime: Runtime): ((item: Value) => Value) => {
    const attribute = named.get('attribute');
    if (args.length === 0 && attribute !== undefined) {
      const other = [...named.keys()].find((key) => key !== 'attribute' && key !== 'default');
      if (other !== undefined) throw argumentError(`Unexpected keyword argument '${other}'`);
      return attributeGetter(attribute, runtime, named.get('default') ?? null);
    }
    const [name, ...rest] = args;
    if (name === undefined) throw argumentError('map requires a filter argument');
    const filter = lookup.filter(textOfValue(name) ?? '');
    return (item) => {
      if (!filter) throw noSuch('filter', name);
      return filter(item, rest, named, runtime);
    };
  };

  const chooser = (args: readonly Value[], named: Named, byAttribute: boolean, runtime: Runtime) => {
    const [attribute, ...others] = byAttribute ? args : [null, ...args];
    if (attribute === undefined) throw argumentError('Missing parameter for attribute name');
    const get = byAttribute ? attributeGetter(attribute, runtime) : (item: Value) => item;
    const [name, ...rest] = others;
    if (name === undefined) return (item: Value) => isTrue(get(item));
    const test = lookup.test(textOfValue(name) ?? '');
    return (item: Value) => {
      if (!test) throw noSuch('test', name);
      return test(get(item), rest, named, runtime);
    };
  };

  function* mapped(value: Value, args: Value[], named: Named, runtime: Runtime): Generator<Value> {
    if (!isTrue(value)) return;
    const map = mapper(args, named, runtime);
    for (const item of iterate(value)) {
      runtime.budget.spend(1);
      yield map(item);
    }
  }

  function* chosen(
    value: Value,
    choose: () => (item: Value) => boolean,
    wanted: boolean,
    runtime: Runtime,
  ): Generator<Value> {
    if (!isTrue(value)) return;
    const isChosen = choose();
    for (const item of iterate(value)) {
      runtime.budget.spend(1);
      if (isChosen(item) === wanted) yield item;
    }
  }

  const choosing =
    (wanted: boolean, byAttribute: boolean): Filter =>
    (value, args, named, runtime) =>
      new Once(chosen(value, () => chooser(args, named, byAttribute, runtime), wanted, runtime));

  return {
    map: (value, args, named, runtime) => new Once(mapped(value, args, named, runtime)),
    select: choosing(true, false),
    reject: choosing(false, false),
    selectattr: choosing(true, true),
    rejectattr: choosing(false, true),
  };
}
