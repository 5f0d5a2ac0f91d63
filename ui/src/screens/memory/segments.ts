import type { MemoryParts } from '../../api/types.ts';

/** One stretch of the bar. */
export interface Segment {
  id: string;
  /** What it is, for people. */
  name: string;
  bytes: number;
  /** Of the styles: `others`, `server`, `weights` … */
  look: string;
  /** Which of the models it belongs to, in the order of loading; null: none. */
  model: number | null;
}

/** The bar from left to right: the parts of the machine as the server divides it. */
export function segmentsOf(parts: MemoryParts): Segment[] {
  const plain = (id: string, name: string, bytes: number): Segment => ({ id, name, bytes, look: id, model: null });
  const models = parts.models.flatMap((one, index) => {
    const of = (look: string, name: string, bytes: number): Segment => ({
      id: `${one.model} ${look}`,
      name: `${one.model}: ${name}`,
      bytes,
      look,
      model: index,
    });
    return [
      of('weights', 'weights', one.weights_bytes),
      of('cache', 'cache', one.cache_bytes),
      of('work', 'work space', one.work_bytes),
    ];
  });
  return [
    plain('others', 'Other services', parts.others_bytes),
    plain('server', 'Hearth itself', parts.server_bytes),
    ...models,
    plain('free', 'Free', parts.free_bytes),
    plain('reserve', 'Reserve', parts.reserve_bytes),
  ].filter(({ bytes }) => bytes > 0);
}
